//! The bytes of a push, made without the code that reads them.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use regex::{Captures, Regex};
use serde_json::Value;

/// `$x*N$` is x repeated N times, so that large bodies stay short where they are written down.
pub fn expand(text: &str) -> String {
    let mark = Regex::new(r"\$(.)\*(\d+)\$").expect("a pattern");
    let repeat = |found: &Captures<'_>| found[1].repeat(found[2].parse().expect("a count"));
    mark.replace_all(text, repeat).into_owned()
}

pub fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).expect("write to memory");
    encoder.finish().expect("write to memory")
}

pub fn gunzip(data: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(data).read_to_end(&mut plain).expect("gzip");
    plain
}

/// Without the header that zlib puts around it.
pub fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).expect("write to memory");
    encoder.finish().expect("write to memory")
}

/// A block of snappy that compresses nothing: literals of at most 60 bytes.
pub fn snappy_literals(data: &[u8]) -> Vec<u8> {
    let mut block = varint(data.len() as u64);
    for part in data.chunks(60) {
        block.push((part.len() as u8 - 1) << 2);
        block.extend_from_slice(part);
    }
    block
}

pub fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 127 {
        bytes.push(number as u8 & 127 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A field of bytes: a string, or a message in a message.
pub fn protobuf_field(number: u64, data: &[u8]) -> Vec<u8> {
    let mut field = varint(number << 3 | 2);
    field.extend(varint(data.len() as u64));
    field.extend_from_slice(data);
    field
}

/// `{"streams": [{"labels": "{a=\"b\"}", "entries": [["<nanoseconds>", "<line>", {metadata}]]}]}` as the
/// push message in protobuf. A line that begins with `hex:` stands for bytes.
pub fn push_request(body: &Value) -> Vec<u8> {
    let mut request = Vec::new();
    for stream in body["streams"].as_array().expect("streams") {
        let mut message = protobuf_field(1, stream["labels"].as_str().expect("labels").as_bytes());
        for entry in stream["entries"].as_array().expect("entries") {
            message.extend(protobuf_field(2, &push_entry(entry)));
        }
        request.extend(protobuf_field(1, &message));
    }
    request
}

fn push_entry(entry: &Value) -> Vec<u8> {
    let nanos: i64 = entry[0].as_str().and_then(|text| text.parse().ok()).expect("a time");
    let line = entry[1].as_str().expect("a line");
    let line = line.strip_prefix("hex:").map_or_else(|| line.as_bytes().to_vec(), from_hex);
    let mut time = vec![0x08];
    time.extend(varint(nanos.div_euclid(1_000_000_000) as u64));
    if nanos.rem_euclid(1_000_000_000) != 0 {
        time.push(0x10);
        time.extend(varint(nanos.rem_euclid(1_000_000_000) as u64));
    }
    let mut message = protobuf_field(1, &time);
    message.extend(protobuf_field(2, &line));
    for (name, value) in entry[2].as_object().into_iter().flatten() {
        let mut pair = protobuf_field(1, name.as_bytes());
        pair.extend(protobuf_field(2, value.as_str().expect("a value").as_bytes()));
        message.extend(protobuf_field(3, &pair));
    }
    message
}

/// Two digits a byte.
pub fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).expect("a hexadecimal digit") as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn repetitions_are_written_out() {
        assert_eq!(expand("a$x*3$b$ *0$$é*2$"), "axxxbéé");
        assert_eq!(expand("$5 * 3$"), "$5 * 3$");
    }

    #[test]
    fn a_push_in_protobuf_is_as_its_definition_says() {
        let body =
            json!({"streams": [{"labels": "{}", "entries": [["1000000300", "hex:ff00", {"k": "v"}]]}]});
        let entry = b"\x0a\x05\x08\x01\x10\xac\x02\x12\x02\xff\x00\x1a\x06\x0a\x01k\x12\x01v";
        let stream = [b"\x0a\x02{}\x12\x13".as_slice(), entry].concat();
        assert_eq!(push_request(&body), [b"\x0a\x19".as_slice(), &stream].concat());
        assert_eq!(snappy_literals(&[7; 61]), [&[61, 59 << 2][..], &[7; 60], &[0, 7]].concat());
    }
}
