//! The text of an answer, written piece by piece as it is taken: a large answer is never in memory as text
//! besides the rows that it is made of, and rows are let go of as they are written.

use bytes::Bytes;

/// So much is written at a time, at least: it takes a tenth of a millisecond, and a socket takes it at once.
/// A piece is longer by what is left of its last row.
const PIECE_BYTES: usize = 64 << 10;

/// Ends with the last piece. Whoever drops it before has the rest never written.
pub struct Pieces {
    /// None when nothing is left.
    write: Option<Write>,
}

/// Appends the next part of the text, no more than a row, and says whether there is another.
type Write = Box<dyn FnMut(&mut Vec<u8>) -> bool + Send>;

/// What a list has before its first element, and behind its last.
pub(super) struct Frame {
    pub(super) begin: Vec<u8>,
    pub(super) end: Vec<u8>,
}

/// How a list of lists is written.
pub(super) trait Grouped: Send + 'static {
    type Head: Send + 'static;
    type Item: Send + 'static;

    /// Up to the bracket before the first element.
    fn head(&self, out: &mut Vec<u8>, head: &Self::Head);
    fn item(&self, out: &mut Vec<u8>, item: Self::Item);
}

/// Behind the elements of a group.
const GROUP_END: &[u8] = b"]}";

impl Pieces {
    /// A text that is there already.
    pub fn whole(text: Vec<u8>) -> Self {
        let mut text = Some(text);
        Self::written(move |out| {
            out.append(&mut text.take().unwrap_or_default());
            false
        })
    }

    /// Elements with commas in between.
    pub(super) fn list<I: Send + 'static>(
        frame: Frame,
        items: Vec<I>,
        write: impl Fn(&mut Vec<u8>, I) + Send + 'static,
    ) -> Self {
        let Frame { begin, mut end } = frame;
        let mut separator = begin;
        let mut items = items.into_iter();
        Self::written(move |out| {
            out.append(&mut separator);
            match items.next() {
                Some(item) => write(out, item),
                None => {
                    out.append(&mut end);
                    return false;
                }
            }
            if items.len() > 0 {
                separator.push(b',');
            }
            true
        })
    }

    /// Groups of elements, none of them empty but where an empty list is to be shown.
    pub(super) fn groups<G: Grouped>(frame: Frame, groups: Vec<(G::Head, Vec<G::Item>)>, shape: G) -> Self {
        let Frame { begin, mut end } = frame;
        let mut separator = begin;
        let mut groups = groups.into_iter();
        let mut items = Vec::new().into_iter();
        let mut is_open = false;
        Self::written(move |out| {
            out.append(&mut separator);
            if let Some(item) = items.next() {
                shape.item(out, item);
                separator.extend((items.len() > 0).then_some(b','));
                return true;
            }
            if is_open {
                out.extend_from_slice(GROUP_END);
                out.extend((groups.len() > 0).then_some(b','));
            }
            let Some((head, of_group)) = groups.next() else {
                out.append(&mut end);
                return false;
            };
            shape.head(out, &head);
            is_open = true;
            items = of_group.into_iter();
            true
        })
    }

    fn written(write: impl FnMut(&mut Vec<u8>) -> bool + Send + 'static) -> Self {
        Self { write: Some(Box::new(write)) }
    }

    /// Whether all has been taken.
    pub fn is_done(&self) -> bool {
        self.write.is_none()
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let write = self.write.as_mut()?;
        let mut out = Vec::new();
        while out.len() < PIECE_BYTES {
            if !write(&mut out) {
                self.write = None;
                break;
            }
        }
        Some(Bytes::from(out))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Numbers;

    impl Grouped for Numbers {
        type Head = usize;
        type Item = Vec<u8>;

        fn head(&self, out: &mut Vec<u8>, head: &usize) {
            out.extend_from_slice(format!("{{\"{head}\":[").as_bytes());
        }

        fn item(&self, out: &mut Vec<u8>, item: Vec<u8>) {
            out.extend_from_slice(&item);
        }
    }

    fn frame() -> Frame {
        Frame { begin: b"<[".to_vec(), end: b"]>".to_vec() }
    }

    /// The text, if no piece is longer than it may be.
    fn taken(mut pieces: Pieces, longest: usize) -> String {
        let mut text = Vec::new();
        while let Some(piece) = pieces.next() {
            assert!(piece.len() < PIECE_BYTES + longest + 16, "{}", piece.len());
            assert!(piece.len() >= PIECE_BYTES || pieces.is_done());
            text.extend_from_slice(&piece);
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_whole_text_is_one_piece() {
        for text in ["", "x", &"y".repeat(3 * PIECE_BYTES)] {
            let mut pieces = Pieces::whole(text.as_bytes().to_vec());
            assert!(!pieces.is_done());
            assert_eq!(pieces.next().unwrap(), text.as_bytes());
            assert!(pieces.is_done() && pieces.next().is_none());
        }
    }

    proptest! {
        #[test]
        fn elements_stand_between_commas(groups in prop::collection::vec(prop::collection::vec(0..30_000_usize, 0..9), 0..9)) {
            let element = |length: &usize| vec![b'x'; *length];
            let text = |lengths: &Vec<usize>| {
                lengths.iter().map(|length| "x".repeat(*length)).collect::<Vec<_>>().join(",")
            };
            let mut want = Vec::new();
            for (number, lengths) in groups.iter().enumerate() {
                let items: Vec<Vec<u8>> = lengths.iter().map(element).collect();
                let list = Pieces::list(frame(), items, |out, item| out.extend_from_slice(&item));
                prop_assert_eq!(taken(list, 30_000), format!("<[{}]>", text(lengths)));
                want.push(format!("{{\"{number}\":[{}]}}", text(lengths)));
            }
            let groups = groups.iter().map(|lengths| lengths.iter().map(element).collect()).enumerate().collect();
            prop_assert_eq!(taken(Pieces::groups(frame(), groups, Numbers), 30_000), format!("<[{}]>", want.join(",")));
        }
    }
}
