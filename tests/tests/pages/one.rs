//! The page of one replication.

use crate::samples::{fleet, fleet_of, small};
use crate::site::Site;

#[tokio::test]
async fn it_leads_from_the_answer_to_what_was_declared() {
    let words = Site::of(fleet()).await.words("/replications/orders-dr").await;
    for part in [
        "orders-dr Can we fail over? NO: 12 of 187 tables · would lose commits since 14:02 CET \
         (18 min) 12 tables further behind than the limit",
        "Tables of prod → dr",
        "Behind / limit 18 min / 15 min",
        "Newest sync 14:06 CET (14 min ago)",
        "Owner team-finance Group shop Labels tier=1",
        "Needs you (2 causes) PERMISSION_DENIED PutBlob of … is denied",
        "Tables (187)",
        "sales/fact_000 18 min 20 s ago its replica 8 min ago 4,183 4,182 977 14:06 CET \
         PERMISSION_DENIED PutBlob of sales/fact_000/part-00000.snappy.parquet is denied: the \
         token lacks the permission `write` since 13:40 CET (40 min ago)",
        "sales/fact_020 3 min 20 s ago its replica 8 min ago 4,183 4,182 977 14:06 CET \
         copying 40 %",
        "Due every 15 min, spread over 2 min.",
        "14:30 CET in 10 min yes",
        "deny mon-fri 23:45 to 00:15",
        "orders-dr 2026-11 212.00 EUR 9.00 EUR 300.00 EUR",
        "owner team-finance 2026-11 17.0 TiB 1.0 TiB 20.0 TiB",
        "Money is estimated from list prices.",
        "14:16 CET round 1,412 slot runs for 4 min 5 0 31.0 GiB",
        "13:30 CET skipped 2 slots came while a round was under way",
        "renamed_from orders-backup include sales/** exclude **/tmp_*",
        "max_lag warn 10 min page 15 min budget 300.00 EUR",
    ] {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
}

#[tokio::test]
async fn the_lag_over_time_is_a_picture_with_words_and_a_table() {
    let site = Site::of(fleet()).await;
    let body = site.get("/replications/orders-dr").await.body;
    let words = crate::site::words(&body);
    for part in [
        "In the last 24 hours the lag was 18 min at the most, at 14:15 CET. It was beyond the \
         limit for 5 min. For 1 h 05 min it was not known.",
        "lag limit of 15 min windows closed not known",
        "The same as a table Lag over time From Highest lag Beyond the limit Not known 13:20 CET",
        "Wed 25 Nov 14:20 CET 10 min 0 0",
    ] {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
    assert!(body.contains("<svg class=\"lag\"") && !body.contains("style="), "{body}");
    let week = site.words("/replications/orders-dr?lag=week").await;
    assert!(week.contains("In the last 7 days the lag was 18 min at the most"), "{week}");
    let none = site.words("/replications/bi").await;
    assert!(none.contains("Nothing is recorded yet"), "{none}");
}

#[tokio::test]
async fn those_that_need_somebody_come_first_and_a_path_finds_its_table() {
    let site = Site::of(fleet_of(vec![small("a", 1_000)])).await;
    let body = site.get("/replications/a").await.body;
    assert_eq!(body.matches("<th class=\"path\" scope=\"row\">").count(), 200);
    assert!(body.len() < 300_000, "{} bytes", body.len());
    let words = site.words("/replications/a?q=TABLE_0999").await;
    assert!(words.contains("Tables (1 of 1,000)"), "{words}");
    assert!(site.words("/replications/a?q=none").await.contains("No table has"));
    let last = site.words("/replications/a?page=5").await;
    assert!(last.contains("801 to 1,000 of 1,000") && last.contains("ref/table_0999"), "{last}");
}

#[tokio::test]
async fn names_show_what_they_hide() {
    let body = Site::of(fleet()).await.get("/replications/experiments").await.body;
    assert!(body.contains("ml/gnp.\\u{202e}selas/&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(!body.contains('\u{202e}') && !body.contains("<script"));
    assert!(body.contains("research &amp; &lt;development&gt;"));
}

#[tokio::test]
async fn each_state_says_why_and_until_when() {
    let site = Site::of(fleet()).await;
    for (name, part) in [
        ("archive", "Wait for approval (2 tables)"),
        ("archive", "logs/raw_2020 · 2.0 TiB"),
        ("archive", "ref/table_0000 first copy never unknown none none none"),
        ("bi", "Now waiting for a window copying is denied in the office hours until 22:00 CET"),
        ("bi", "allow daily 22:00 to 06:00"),
        ("clickstream", "96 tables whose lag is not known"),
        ("events", "Due at a commit, asked for every 1 min to 10 min."),
        ("events", "Times are of America/Sao_Paulo (UTC-03:00)"),
        ("experiments", "Now held by its budget the limit of November is spent until"),
        ("payments-dr", "Now waiting for its turn 4 rounds of this pair run"),
        ("zz-reference", "It falls under no budget."),
        ("zz-reference", "None has run yet."),
    ] {
        let words = site.words(&format!("/replications/{name}")).await;
        assert!(words.contains(part), "{name}: {part:?} is not in {words}");
    }
}
