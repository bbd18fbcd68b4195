//! A node that leaves with all rows in the store, or says what is left.

use futures_util::future::join;
use tokio::time::timeout;

use super::uploads::{begin, check_once};
use super::*;
use crate::append::Waiting;
use crate::flush::flush_all;
use crate::record::encode_push;

#[test]
fn it_tries_until_all_is_in_the_store() {
    let (result, _) = run(1, |world| async move {
        let life = begin(&world);
        append_line(&life.door, 1, 1, "one").await?;
        let node = life.door.node()?;
        world.wal_dir.refuse_names(Some(".seg-new"));
        node.leave();
        let mut flushing = Box::pin(flush_all(node));
        assert!(timeout(Duration::from_secs(300), &mut flushing).await.is_err(), "no file can be made");
        assert_eq!((node.left().rows, node.left().files), (1, 0));
        world.wal_dir.refuse_names(None);
        timeout(Duration::from_secs(120), flushing).await.unwrap();
        assert!(node.left().is_nothing());
        check_once(&world, &life, &["one"]).await;
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

#[test]
fn it_waits_for_pushes_that_are_in_the_log() {
    let (result, _) = run(2, |world| async move {
        let life = begin(&world);
        append_line(&life.door, 1, 1, "one").await?;
        let node = life.door.node()?;
        let leaving = async {
            node.leave();
            flush_all(node).await;
            node.left()
        };
        let (pushed, left) = join(append_line(&life.door, 2, 2, "two"), leaving).await;
        pushed?;
        assert!(left.is_nothing(), "{left:?}");
        let refused = append_line(&life.door, 3, 3, "three").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        assert!(node.left().is_nothing(), "what was refused is not waited for");
        check_once(&world, &life, &["one", "two"]).await;
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

#[test]
fn what_the_log_refuses_does_not_spend_the_rate() {
    let (result, _) = run(3, |world| async move {
        let limits = limits(|limits| {
            limits.per_stream_rate_limit = ByteSize::bytes(1);
            limits.per_stream_rate_limit_burst = ByteSize::bytes(10);
        });
        let life = start(&world, SyncMode::Always, &limits, usize::MAX);
        world.wal_dir.set_read_only(true);
        append_line(&life.door, 1, 1, "ten bytes.").await.unwrap_err();
        world.wal_dir.set_read_only(false);
        world.env.sleep(Duration::from_secs(3)).await;
        let answer = append_line(&life.door, 1, 1, "ten bytes.").await?;
        assert_eq!(answer.outcomes[0].refusal, None);
        let answer = append_line(&life.door, 2, 2, "ten bytes.").await?;
        assert!(answer.outcomes[0].refusal.is_some(), "what was taken does");
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

/// A version that takes longer lines has written the log.
#[test]
fn rows_of_the_log_that_do_not_fit_are_told_of() {
    let (result, _) = run(4, |world| async move {
        let life = start(&world, SyncMode::Always, &limits(|_| {}), usize::MAX);
        let long = "z".repeat(larch_segment::MAX_LINE_BYTES + 1);
        let request = push(1, &[(APP, 1, "fits"), (APP, 2, &long)]);
        let node = life.door.node()?;
        let record = encode_push(&context().tenant, Arc::unwrap_or_clone(request), &node.buffers);
        let (answer, logged) = tokio::sync::oneshot::channel();
        assert!(node.log.append(record, Waiting::Note(answer)).is_ok());
        logged.await.unwrap().unwrap();
        drop(life.scope.close(Duration::from_secs(1)).await);
        let life = start(&world, SyncMode::Always, &limits(|_| {}), usize::MAX);
        assert_eq!(rows(&life.door).await?, BTreeMap::from([("fits".to_owned(), 1)]));
        assert_eq!(life.door.node()?.metrics.replay.unreadable_records.get(), 1);
        Ok::<(), CallError>(())
    });
    result.unwrap();
}

/// Names that a start removes do not come back with the next loss of power.
#[test]
fn a_start_removes_files_for_good() {
    use larch_wal::Dir;
    run(5, |world| async move {
        drop(
            start(&world, SyncMode::Always, &limits(|_| {}), usize::MAX)
                .scope
                .close(Duration::from_secs(1))
                .await,
        );
        let id = world.env.new_segment_id();
        let left_over = crate::segment_file::name::unfinished(id, &context().tenant);
        world.wal_dir.create(&left_over).unwrap();
        world.wal_dir.sync().unwrap();
        let life = start(&world, SyncMode::Always, &limits(|_| {}), usize::MAX);
        world.wal_dir.power_cut();
        assert!(!world.wal_dir.list().unwrap().contains(&left_over));
        drop(life.scope.close(Duration::from_secs(1)).await);
    });
}

#[test]
fn a_disk_that_hangs_stalls_the_node() {
    let cases = [
        (false, None, MemberState::Active),
        (false, Some(2000), MemberState::Active),
        (false, Some(2001), MemberState::Stalled),
        (true, Some(2001), MemberState::Leaving),
    ];
    for (leaves, millis, want) in cases {
        assert_eq!(member_state(leaves, millis.map(Duration::from_millis)), want, "{leaves} {millis:?}");
    }
}
