//! Which roles a process runs.

/// The groups in which Loki was deployed before it knew only single roles.
const GROUPS: [(&str, &[&str]); 3] = [
    ("read", &["query-frontend", "querier"]),
    ("write", &["distributor", "ingester"]),
    ("backend", &["index-gateway", "compactor", "ruler"]),
];

/// Roles of Loki that are part of another role here.
const ABSORBED: [(&str, &str); 2] = [("query-scheduler", "query-frontend"), ("pattern-ingester", "ingester")];

/// A process that runs no role still shows its overrides as metrics, which is all that this one does.
const ROLELESS: &str = "overrides-exporter";

/// The roles to run, in the program's own order, and what there is to say about the choice.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) roles: Vec<&'static str>,
    pub(crate) warnings: Vec<String>,
}

/// `roles` are those that the program has. A program with one role runs that one, whatever a file that
/// it shares with others says; it only refuses to be asked for another one.
pub(crate) fn choose(target: &str, program: &str, roles: &[&'static str]) -> Result<Chosen, String> {
    let mut wanted: Vec<&str> = Vec::new();
    let mut warnings = Vec::new();
    for name in target.split(',').map(str::trim) {
        if name == "all" {
            wanted.extend(roles);
        } else if let Some((_, members)) = GROUPS.iter().find(|(group, _)| *group == name) {
            wanted.extend(*members);
        } else if let Some((_, host)) = ABSORBED.iter().find(|(absorbed, _)| *absorbed == name) {
            warnings.push(format!("target {name} is part of {host}, which is run in its place"));
            wanted.push(host);
        } else if name != ROLELESS {
            wanted.push(name);
        }
    }
    if let [only] = roles {
        return match wanted.iter().find(|name| *name != only) {
            None => Ok(Chosen { roles: vec![only], warnings }),
            Some(other) => Err(format!("{program} runs the target {only} only, not {other}")),
        };
    }
    if let Some(unknown) = wanted.iter().find(|name| !roles.contains(name)) {
        return Err(format!("unknown target {unknown:?}; the targets are {}", names(roles).join(", ")));
    }
    let chosen = roles.iter().filter(|role| wanted.contains(role)).copied().collect();
    Ok(Chosen { roles: chosen, warnings })
}

/// What `-list-targets` shows.
pub(crate) fn names<'a>(roles: &[&'a str]) -> Vec<&'a str> {
    if let [only] = roles {
        return vec![only];
    }
    let mut names = vec!["all", "read", "write", "backend"];
    names.extend(roles);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [&str; 7] =
        ["distributor", "ingester", "querier", "query-frontend", "index-gateway", "compactor", "ruler"];

    #[track_caller]
    fn chosen(target: &str) -> String {
        let chosen = choose(target, "larch", &ROLES).unwrap();
        let mut text = chosen.roles.join(" ");
        for warning in chosen.warnings {
            text.push_str(&format!(" | {warning}"));
        }
        text
    }

    #[test]
    fn groups_lists_and_old_names() {
        assert_eq!(chosen("all"), ROLES.join(" "));
        assert_eq!(chosen("read"), "querier query-frontend");
        assert_eq!(chosen("write,ruler"), "distributor ingester ruler");
        assert_eq!(chosen("ruler, ingester"), "ingester ruler");
        assert_eq!(chosen("overrides-exporter"), "");
        assert_eq!(
            chosen("query-scheduler"),
            "query-frontend | target query-scheduler is part of query-frontend, which is run in its place"
        );
        assert_eq!(
            choose("table-manager", "larch", &ROLES).unwrap_err(),
            "unknown target \"table-manager\"; the targets are all, read, write, backend, distributor, \
             ingester, querier, query-frontend, index-gateway, compactor, ruler"
        );
    }

    #[test]
    fn a_program_of_one_role_runs_that_one() {
        for target in ["all", "ruler", "overrides-exporter"] {
            assert_eq!(choose(target, "larch-ruler", &["ruler"]).unwrap().roles, ["ruler"]);
        }
        assert_eq!(
            choose("querier", "larch-ruler", &["ruler"]).unwrap_err(),
            "larch-ruler runs the target ruler only, not querier"
        );
        assert_eq!(names(&["ruler"]), ["ruler"]);
    }
}
