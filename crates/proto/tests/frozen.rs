//! Changes to messages are additive: `proto/frozen.txt` lists every field, enum value and call that was
//! ever there, and only gets longer.

use std::collections::BTreeSet;
use std::path::Path;

use protox::prost_reflect::{DescriptorPool, FieldDescriptor, MessageDescriptor};

const FILES: [&str; 6] = [
    "larch/types/v1/types.proto",
    "larch/ring/v1/ring.proto",
    "larch/ingest/v1/ingest.proto",
    "larch/ingest/v1/tail.proto",
    "larch/plan/v1/plan.proto",
    "larch/query/v1/query.proto",
];

#[test]
fn nothing_that_was_there_has_changed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let files = protox::compile(FILES, [&root]).unwrap();
    let now = declarations(&DescriptorPool::from_file_descriptor_set(files).unwrap());
    let frozen = std::fs::read_to_string(root.join("frozen.txt")).unwrap();
    let frozen: BTreeSet<String> = frozen.lines().map(str::to_owned).collect();
    let changed: Vec<&String> = frozen.difference(&now).collect();
    assert!(changed.is_empty(), "gone or changed, which breaks running clusters: {changed:#?}");
    let new: Vec<&String> = now.difference(&frozen).collect();
    assert!(new.is_empty(), "new: add these lines to proto/frozen.txt, sorted: {new:#?}");
}

fn declarations(pool: &DescriptorPool) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for message in pool.all_messages() {
        for field in message.fields() {
            lines.insert(declaration(&message, &field));
        }
    }
    for one in pool.all_enums() {
        for value in one.values() {
            lines.insert(format!("{} = {}", value.full_name(), value.number()));
        }
    }
    for service in pool.services() {
        for call in service.methods() {
            let streams = |yes: bool| if yes { "stream " } else { "" };
            lines.insert(format!(
                "{}({}{}) returns ({}{})",
                call.full_name(),
                streams(call.is_client_streaming()),
                call.input().full_name(),
                streams(call.is_server_streaming()),
                call.output().full_name()
            ));
        }
    }
    lines
}

fn declaration(message: &MessageDescriptor, field: &FieldDescriptor) -> String {
    let one_of = field.containing_oneof().map(|one| format!(" in {}", one.name())).unwrap_or_default();
    let repeated = if field.is_list() { "repeated " } else { "" };
    format!(
        "{}.{} = {} {repeated}{:?}{one_of}",
        message.full_name(),
        field.name(),
        field.number(),
        field.kind()
    )
}
