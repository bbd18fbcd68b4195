//! Which format a scraper asks for.

/// The two text formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text format 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

/// A client may list many formats; the first of them decide.
const MAX_RANGES: usize = 32;

impl Format {
    /// Takes the `Accept` header. Of the formats that are known the best liked wins, of equals the one
    /// named first; without any, Prometheus' own.
    pub fn from_accept(header: Option<&str>) -> Self {
        let mut best = None;
        let mut best_quality = 0;
        for range in header.unwrap_or_default().split(',').take(MAX_RANGES) {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let mut quality = MAX_QUALITY;
            let mut version = "";
            for parameter in parts {
                let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
                match name.trim().to_ascii_lowercase().as_str() {
                    "q" => quality = thousandths(value.trim()),
                    "version" => version = value.trim().trim_matches('"'),
                    _ => {}
                }
            }
            let Some(format) = Self::of_media(media, version) else { continue };
            if quality > best_quality {
                best = Some(format);
                best_quality = quality;
            }
        }
        best.unwrap_or(Self::Prometheus)
    }

    fn of_media(media: &str, version: &str) -> Option<Self> {
        // 0.0.1 is the draft that scrapers list beside 1.0.0; what it allows, 1.0.0 allows.
        if media.eq_ignore_ascii_case("application/openmetrics-text") {
            return matches!(version, "" | "0.0.1" | "1.0.0").then_some(Self::OpenMetrics);
        }
        if media.eq_ignore_ascii_case("text/plain") {
            return matches!(version, "" | "0.0.4").then_some(Self::Prometheus);
        }
        matches!(media, "*/*" | "text/*").then_some(Self::Prometheus)
    }

    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

const MAX_QUALITY: u16 = 1000;

/// `0.7` is 700. What is no quality at all is none.
fn thousandths(text: &str) -> u16 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "1" => MAX_QUALITY,
        "0" if digits => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

/// For fuzzing: any header gives an answer.
pub fn fuzz_accept(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let format = Format::from_accept(Some(&text));
    assert!(format == Format::Prometheus || text.to_ascii_lowercase().contains("openmetrics-text"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::mutations;

    #[test]
    fn the_best_liked_known_format() {
        let open = "application/openmetrics-text";
        for (header, want) in [
            ("", Format::Prometheus),
            ("*/*", Format::Prometheus),
            ("text/html, application/json", Format::Prometheus),
            (open, Format::OpenMetrics),
            ("Application/OpenMetrics-Text; Version=\"1.0.0\"", Format::OpenMetrics),
            (&format!("{open};version=2.0.0"), Format::Prometheus),
            (
                &format!(
                    "{open};version=1.0.0;q=0.5,{open};version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
                ),
                Format::OpenMetrics,
            ),
            (&format!("text/plain;version=0.0.4;q=0.6,{open};q=0.55,*/*;q=0.4"), Format::Prometheus),
            (&format!("{open};q=0"), Format::Prometheus),
            (&format!("{open};q=many"), Format::Prometheus),
            (&format!("{open}, text/plain"), Format::OpenMetrics),
        ] {
            assert_eq!(Format::from_accept(Some(header)), want, "{header}");
        }
        assert_eq!(Format::from_accept(None), Format::Prometheus);
    }

    #[test]
    fn any_header_gives_an_answer() {
        let corpus: [&[u8]; 4] = [
            b"application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
            b"*/*",
            b"text/plain; q=1.000; q=\"",
            b";;;===,,,",
        ];
        mutations(&corpus, fuzz_accept);
    }
}
