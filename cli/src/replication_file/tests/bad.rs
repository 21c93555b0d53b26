//! Bad files: every mistake with its line.

use super::*;

/// Lines 1 to 7.
const GOOD: &str = r#"version = 1
[[replication]]
name = "a"
source = "prod"
target = "dr"
include = ["sales/**"]
schedule = { every = "15m" }
"#;

#[track_caller]
fn refused(form: FileForm, text: &str, want: &[&str]) {
    let errors = ReplicationFile::read("r", text, form, NOW).unwrap_err();
    let found = errors.to_string();
    assert_eq!(found.lines().collect::<Vec<_>>(), want, "{text}");
}

#[track_caller]
fn toml(text: &str, want: &[&str]) {
    refused(FileForm::Toml, text, want);
}

/// What is added to a good file, from line 8 on.
#[track_caller]
fn added(text: &str, want: &[&str]) {
    toml(&format!("{GOOD}{text}"), want);
}

#[test]
fn a_file_needs_a_version_and_replications() {
    let none = "replication: there is none: to end them all, retire each by its name";
    toml("", &["r:1: version: it is missing"]);
    toml("version = 1\n", &[&format!("r:1: {none}")]);
    toml("version = 1\n\nreplication = []\n", &[&format!("r:3: {none}")]);
    refused(FileForm::Yaml, "", &["r:1: it is empty, not a table"]);
    refused(FileForm::Yaml, "version: 1\nreplication: []\n", &[&format!("r:2: {none}")]);
    let of = |version: &str| GOOD.replace("version = 1", version);
    toml(&of("version = 2"), &["r:1: version: this program reads version 1 only"]);
    toml(&of("version = \"1\""), &["r:1: version: it is a text, not a whole number"]);
    toml(&of(""), &["r:1: version: it is missing"]);
}

#[test]
fn a_text_that_is_no_toml_or_yaml_has_its_line() {
    toml("version = 1\n\n[[replication]\n", &["r:3: unclosed array table, expected `]`"]);
    toml("version = 1\nversion = 1\n", &["r:2: duplicate key"]);
    let yaml = |text, want: &[&str]| refused(FileForm::Yaml, text, want);
    yaml("version: 1\nreplication: [\n", &["r:2: unclosed bracket '['"]);
    yaml("version: 1\nversion: 1\n", &["r:2: duplicate mapping key: version"]);
}

#[test]
fn a_key_is_quoted_with_what_cannot_be_seen_as_escapes() {
    let known = "there is no such key: there are version, defaults, replication, budget";
    let want = |key: &str| format!("r:2: {key}: {known}");
    let yaml = |key: &str, want: &str| {
        let text = format!("version: 1\n{key}: 1\nreplication:\n  - name: a\n");
        let errors = ReplicationFile::read("r", &text, FileForm::Yaml, NOW).unwrap_err();
        let said = errors.to_string();
        assert!(said.lines().any(|line| line == want), "{said:?}");
    };
    yaml("zzz\tqqq", &want("zzz\\u{9}qqq"));
    yaml("zzz\u{202e}qqq", &want("zzz\\u{202e}qqq"));
}

#[test]
fn an_unknown_key_is_told_with_what_was_meant() {
    added(
        "inculde = []\nfrequency = \"1h\"\n",
        &[
            "r:8: a: inculde: there is no such key: did you mean include?",
            "r:9: a: frequency: there is no such key: there are name, renamed_from, takes_over, \
             owner, group, labels, source, target, include, exclude, clone, time_zone, schedule, \
             on_missed, on_overlap, on_resume, window, close_grace, max_lag, budget, bandwidth, \
             new_tables, priority, jobs_at_once, audit, vacuum",
        ],
    );
    added(
        "max_lag = { warm = \"1h\" }\n",
        &["r:8: a: max_lag.warm: there is no such key: did you mean warn?"],
    );
    added(
        "[replications]\n",
        &["r:8: replications: there is no such key: did you mean replication?"],
    );
    toml(
        &GOOD.replace("[[repl", "[defaults]\nname = \"x\"\nowners = \"y\"\n[[repl"),
        &[
            "r:3: defaults.name: there is no such key: there are owner, group, labels, source, \
             target, include, exclude, clone, time_zone, schedule, on_missed, on_overlap, \
             on_resume, window, close_grace, max_lag, budget, bandwidth, new_tables, priority, \
             jobs_at_once, audit, vacuum",
            "r:4: defaults.owners: there is no such key: did you mean owner?",
        ],
    );
}

#[test]
fn a_value_of_another_kind_is_told() {
    let of = |line: &str, with: &str| GOOD.replace(line, with);
    toml(
        &of("name = \"a\"", "name = \"A b\""),
        &["r:3: replication[0]: name: \"A b\" is not a name: write 1 to 63 of a to z, 0 to 9 \
             and -, and no - at the beginning"],
    );
    toml(&of("name = \"a\"\n", ""), &["r:2: replication[0]: name: it is missing"]);
    toml(
        &of("source = \"prod\"", "source = 7"),
        &["r:4: a: source: it is a number: write a text in quotes"],
    );
    toml(&of("source = \"prod\"\n", ""), &["r:2: a: source: it is missing"]);
    toml(
        &of("[\"sales/**\"]", "[\n\"sales/**\",\n3,\n]"),
        &["r:8: a: include[1]: it is a number: write a text in quotes"],
    );
    toml(&of("{ every = \"15m\" }", "\"15m\""), &["r:7: a: schedule: it is a text, not a table"]);
    added("jobs_at_once = \"4\"\n", &["r:8: a: jobs_at_once: it is a text, not a whole number"]);
    added("jobs_at_once = -1\n", &["r:8: a: jobs_at_once: -1 is out of range"]);
    added("priority = 3000000000\n", &["r:8: a: priority: 3000000000 is out of range"]);
    added(
        "priority = 1.5\n",
        &["r:8: a: priority: it is a number with a point, not a whole number"],
    );
    added(
        "labels = { tier = 1 }\n",
        &["r:8: a: labels.tier: it is a number: write a text in quotes"],
    );
    added(
        "[[replication.window]]\nkind = \"deny\"\nfrom = 08:00:00\nto = \"09:00\"\n",
        &["r:10: a: window[0].from: it is a date or time without quotes: write a text in quotes"],
    );
    added(
        "[[replication.window]]\n",
        &[
            "r:8: a: window[0].kind: it is missing",
            "r:8: a: window[0].from: it is missing",
            "r:8: a: window[0].to: it is missing",
        ],
    );
    let yaml = "version: 1\nreplication:\n- just a text\n- name: b\n  source:\n  target: true\n";
    refused(
        FileForm::Yaml,
        yaml,
        &[
            "r:3: replication[0]: it is a text, not a table",
            "r:4: b: schedule: it is missing",
            "r:5: b: source: it is empty: write a text in quotes",
            "r:6: b: target: it is true or false: write a text in quotes",
        ],
    );
}

#[test]
fn a_word_or_a_unit_that_is_not_known_is_told() {
    added(
        "on_missed = \"all\"\nclose_grace = \"5 minutes\"\nclone = { verify = \"md5\" }\n",
        &[
            "r:8: a: on_missed: \"all\" is not known: write once or skip",
            "r:9: a: close_grace: \"5 minutes\" is no length of time: write it as 90s, 15m, 1h30m \
             or 7d",
            "r:10: a: clone.verify: \"md5\" is not known: write digest or size or read-back",
        ],
    );
    added(
        "new_tables = { ask_above = \"500\" }\n",
        &["r:8: a: new_tables.ask_above: \"500\" is no size: write a number with B, kB, MB, GB, \
             TB or PB (powers of 1000), or with KiB, MiB, GiB, TiB or PiB (powers of 1024)"],
    );
    added(
        "[replication.budget]\nmoney = \"300 Euro\"\nat_limit = \"stop\"\nslow_to = \"1 MB/s\"\n",
        &[
            "r:9: a: budget.money: \"Euro\" is not a currency: write the three capital letters of \
             one, such as EUR",
            "r:10: a: budget.at_limit: \"stop\" is not known: write hold or slow or alert_only",
            "r:11: a: budget.slow_to: it goes with at_limit = \"slow\" only",
        ],
    );
    added(
        "audit = { schedule = { every = \"1h\" }, sample = \"5\", proof_of_use = \"yes\" }\n\
         vacuum = { retention = \"30\" }\n",
        &[
            "r:8: a: audit.sample: \"5\" is no share: write a number and %, such as 5% or 0.5%",
            "r:8: a: audit.proof_of_use: it is a text: write true or false without quotes",
            "r:9: a: vacuum.schedule: it is missing",
            "r:9: a: vacuum.retention: \"30\" is no length of time: write it as 90s, 15m, 1h30m or \
             7d",
        ],
    );
    added(
        "budget = { bytes = \"1 TB\", at_limit = \"slow\" }\n",
        &["r:8: a: budget.slow_to: it is missing"],
    );
    added(
        "[[replication.bandwidth]]\nrate = \"50 MB\"\n[[replication.bandwidth]]\n",
        &[
            "r:9: a: bandwidth[0].rate: \"50 MB\" is no rate: write a size and /s, such as 50 MB/s",
            "r:10: a: bandwidth[1].rate: it is missing",
        ],
    );
}

#[test]
fn a_wrong_schedule_is_told() {
    let of = |schedule: &str| GOOD.replace("{ every = \"15m\" }", schedule);
    let cases = [
        ("{}", "write one of every, at, cron and on_commit"),
        ("{ every = \"1h\", cron = \"0 * * * *\" }", "it has every and cron: write one of them"),
    ];
    for (schedule, want) in cases {
        toml(&of(schedule), &[&format!("r:7: a: schedule: {want}")]);
    }
    let cases = [
        ("{ every = \"1h\", days = \"sat\" }", "days: it goes with at only"),
        ("{ every = \"30s\" }", "every: the interval is shorter than a minute"),
        ("{ every = \"1h\", spread = \"2h\" }", "spread: the spread is longer than the interval"),
        (
            "{ cron = \"0 2 * *\" }",
            "cron: a cron pattern has 5 fields (minute, hour, day of the month, month, day of the \
             week), this one has 4",
        ),
        (
            "{ at = \"2:00\" }",
            "at[0]: \"2:00\" is no time of day: write it as 09:30, from 00:00 to 23:59",
        ),
        ("{ at = [] }", "at: no time of day is named"),
        (
            "{ on_commit = { poll_min = \"1h\" } }",
            "on_commit.poll_max: it is shorter than poll_min",
        ),
    ];
    for (schedule, want) in cases {
        toml(&of(schedule), &[&format!("r:7: a: schedule.{want}")]);
    }
}

#[test]
fn what_the_check_finds_has_its_line() {
    let window = "[[replication.window]]\nkind = \"deny\"\nfrom = \"02:00\"\nto = \"02:00\"\n";
    added(
        window,
        &["r:11: a: window[0].to: the window has no length: a whole day is from 00:00 to 24:00"],
    );
    let window = window.replace("to = \"02:00\"", "to = \"08:00\"");
    added(
        &format!("max_lag = {{ warn = \"1h\", page = \"3h\" }}\n{window}"),
        &["r:8: a: max_lag.page: no sync can start after 2026-11-27T01:45:00Z before \
         2026-11-27T08:00:00Z: that is 6h15m, and the lag may be 3h at most"],
    );
    added(
        "time_zone = \"Berlin\"\nbudget = { bytes = \"1 TB\", money = \"3 EUR\" }\n",
        &[
            "r:8: a: time_zone: \"Berlin\" is no time zone: write an IANA name such as \
             Europe/Berlin",
            "r:9: a: budget.money: write bytes or money, not both",
        ],
    );
    // What cannot be read elsewhere does not hide it.
    let other = GOOD.replace("version = 1\n", "").replace("\"a\"", "\"b\"");
    added(
        &format!("jobs_at_once = 99\n{other}priority = \"high\"\n"),
        &[
            "r:8: a: jobs_at_once: write 1 to 64",
            "r:15: b: priority: it is a text, not a whole number",
        ],
    );
}

#[test]
fn what_two_share_is_told_at_the_later_one() {
    let other = |from: &str, to: &str| GOOD.replace("version = 1\n", "").replace(from, to);
    added(&other("\"a\"", "\"b\""), &["r:12: b: include[0]: a keeps sales/** at dr, too"]);
    added(&other("\"dr\"", "\"bi\""), &["r:9: a: name: a is there twice"]);
    added(
        &other("\"a\"", "\"b\"\nrenamed_from = \"a\"").replace("\"dr\"", "\"bi\""),
        &["r:10: b: renamed_from[0]: a is the name of a replication here"],
    );
}

#[test]
fn a_mistake_in_the_defaults_is_told_once() {
    let defaults = "[defaults]\ntime_zone = \"Mars\"\non_missed = \"all\"\n[[repl";
    let two = format!("{GOOD}{}", GOOD.replace("version = 1\n", "").replace("\"a\"", "\"b\""));
    let text = two.replacen("[[repl", defaults, 1);
    toml(&text, &["r:4: defaults: on_missed: \"all\" is not known: write once or skip"]);
    let text =
        text.replace("on_missed = \"all\"\n", "").replace("include = [\"sales", "include = [\"s");
    let text = text.replacen("\"dr\"", "\"bi\"", 1);
    toml(
        &text,
        &["r:3: defaults: time_zone: \"Mars\" is no time zone: write an IANA name such as \
         Europe/Berlin"],
    );
}
