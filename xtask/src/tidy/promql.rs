//! The names of our metrics in a PromQL expression, and the expressions in a YAML file of rules.

/// What Larch's own metrics begin with: those of the compatible names, its own, and what every process
/// exports. Other names in a dashboard are other systems' metrics.
const OURS: [&str; 4] = ["loki_", "larch_", "process_", "go_"];

/// Names outside of quotes and label matchers. A name with a colon is the result of a recording rule.
/// Template actions (`{{ ... }}`) are left out like matchers.
pub(super) fn metric_names(expression: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut quote = None;
    let mut braces = 0_usize;
    let mut escaped = false;
    let mut word_start = None;
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    for (at, c) in expression.char_indices().chain([(expression.len(), ' ')]) {
        if let Some(open) = quote {
            if c == open && !escaped {
                quote = None;
            }
            escaped = c == '\\' && !escaped && open != '`';
            continue;
        }
        if is_word(c) {
            word_start.get_or_insert(at);
            continue;
        }
        if let Some(start) = word_start.take() {
            let word = &expression[start..at];
            if braces == 0 && !word.contains(':') && OURS.iter().any(|prefix| word.starts_with(prefix)) {
                names.push(word);
            }
        }
        match c {
            '"' | '\'' | '`' => (quote, escaped) = (Some(c), false),
            '{' => braces += 1,
            '}' => braces = braces.saturating_sub(1),
            _ => {}
        }
    }
    names
}

/// Every `expr:` of a YAML text with the line of its key, from 1. Read line by line, because a chart's
/// template is no YAML before it is rendered: a value goes on for as long as lines are indented deeper.
pub(super) fn yaml_expressions(text: &str) -> Vec<(usize, String)> {
    let mut expressions: Vec<(usize, String)> = Vec::new();
    let mut open_indent = None;
    for (index, line) in text.lines().enumerate() {
        let content = line.trim_start().trim_start_matches("- ").trim_start();
        let indent = line.len() - content.len();
        if let Some(value) = content.strip_prefix("expr:") {
            expressions.push((index + 1, value.to_owned()));
            open_indent = Some(indent);
        } else if content.is_empty() {
            continue;
        } else if open_indent.is_some_and(|open| indent > open)
            && let Some((_, expression)) = expressions.last_mut()
        {
            expression.push('\n');
            expression.push_str(content);
        } else {
            open_indent = None;
        }
    }
    for (_, expression) in &mut expressions {
        *expression = unquoted(expression.trim()).to_owned();
    }
    expressions
}

/// Without the quotes around a flow scalar, which would hide all of it.
fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_names_outside_of_matchers_and_quotes() {
        let check =
            |expression: &str, want: &[&str]| assert_eq!(metric_names(expression), want, "{expression}");
        check("sum(rate(loki_a_total[1m])) / larch_b", &["loki_a_total", "larch_b"]);
        check(r#"loki_a{route=~"loki_api|\"", loki_x="y"} > 1"#, &["loki_a"]);
        check("label_replace(go_a, 'loki_b', \"$1\", `loki_c`, \"\")", &["go_a"]);
        check("job:loki_a:rate5m + loki_a:rate5m + kube_pod_info", &[]);
        check("loki_a{pod=~\"{{ .Values.loki_x }}\"} * {{ .loki_y }}", &["loki_a"]);
        check("process_open_fds", &["process_open_fds"]);
    }

    #[test]
    fn finds_expressions_in_yaml() {
        let text = "\
rules:
  - alert: A
    expr: loki_a > 1
    for: 1m
  - expr: |
      loki_b

        / loki_c
    labels: {}
  - expr: \"loki_d\"
";
        let got = yaml_expressions(text);
        let want = [(3, "loki_a > 1"), (5, "|\nloki_b\n/ loki_c"), (10, "loki_d")];
        assert_eq!(got, want.map(|(line, text)| (line, text.to_owned())));
    }
}
