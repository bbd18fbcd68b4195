//! One text of an object, as it stands in the line.

/// The text of a member of the outermost object, between its quotes and with its escapes. Nothing if the
/// line is no object, or holds no text of that name.
pub(super) fn find_text<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let mut scan = Scan { line, at: 0 };
    scan.take(b'{')?;
    if scan.peek()? == b'}' {
        return None;
    }
    loop {
        let key = scan.string()?;
        scan.take(b':')?;
        let is_text = scan.peek()? == b'"';
        if key == name && is_text {
            return scan.string();
        }
        scan.skip_value()?;
        scan.take(b',')?;
    }
}

struct Scan<'l> {
    line: &'l str,
    at: usize,
}

impl<'l> Scan<'l> {
    fn byte(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        while self.byte().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
        self.byte()
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        let is_there = self.peek()? == wanted;
        self.at += usize::from(is_there);
        is_there.then_some(())
    }

    fn string(&mut self) -> Option<&'l str> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            match self.byte()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        self.line.get(start..self.at - 1)
    }

    /// Objects and lists are skipped by their brackets, whatever is between them.
    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' | b'}' | b']' if depth == 0 => return Some(()),
                _ => self.at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_of_the_outermost_object() {
        for (line, want) in [
            (r#"{"msg":"a b"}"#, Some("a b")),
            (r#" { "x" : 1 , "msg" : "a" } "#, Some("a")),
            (r#"{"x":{"msg":"inner"},"y":[{"msg":"z"}],"msg":"outer"}"#, Some("outer")),
            (r#"{"x":"\"msg\":\"no\"","msg":"say \"hi\"\\"}"#, Some(r#"say \"hi\"\\"#)),
            (r#"{"msg":7,"x":"y"}"#, None),
            (r#"{"x":{"msg":"inner"}}"#, None),
            (r#"{"msg":"cut"#, None),
            (r#"{"msg":"cut\"#, None),
            (r#"["msg","a"]"#, None),
            ("{}", None),
            ("", None),
        ] {
            assert_eq!(find_text(line, "msg"), want, "{line}");
        }
    }

    proptest! {
        #[test]
        fn wild_lines_never_panic(line in r#"[{}\[\]:,"\\ émsg1]{0,40}"#) {
            find_text(&line, "msg");
        }

        #[test]
        fn every_text_of_an_object_is_found(
            texts in prop::collection::btree_map("[a-z]{1,3}", "\\PC{0,12}", 1..5),
        ) {
            let line = serde_json::to_string(&texts).unwrap();
            for (name, text) in &texts {
                let quoted = serde_json::to_string(text).unwrap();
                prop_assert_eq!(find_text(&line, name), Some(&quoted[1..quoted.len() - 1]));
            }
        }
    }
}
