//! Every bound: what is at it passes, and one more is refused with its field and the limit.

use super::*;

fn text(length: usize) -> String {
    "x".repeat(length)
}

/// A field, its bound, and a message with so much in it.
type Case<T> = (&'static str, usize, fn(usize) -> T);

fn check<T>(cases: &[Case<T>], check: impl Fn(T) -> Result<(), WireError>) {
    for (field, most, make) in cases {
        assert_eq!(check(make(*most)), Ok(()), "{field} at {most}");
        let failure = deepclone_core::failure::Failure::from(check(make(most + 1)).unwrap_err());
        assert_eq!(failure.details["field"], *field);
        assert!(failure.message.contains(&most.to_string()), "{failure}");
        assert!(failure.message.contains(field), "{failure}");
    }
}

fn table(uri: usize, connection: usize) -> Option<v1::TableRef> {
    Some(v1::TableRef { uri: text(uri), connection: text(connection) })
}

fn property(name: usize, value: usize) -> v1::CloneSpec {
    v1::CloneSpec { properties: [(text(name), text(value))].into(), ..Default::default() }
}

#[test]
fn specs_are_bounded() {
    let cases: &[Case<v1::CloneSpec>] = &[
        ("spec.source.uri", URI_BYTES_MAX, |n| v1::CloneSpec {
            source: table(n, 0),
            ..Default::default()
        }),
        ("spec.target.uri", URI_BYTES_MAX, |n| v1::CloneSpec {
            target: table(n, 0),
            ..Default::default()
        }),
        ("spec.source.connection", CONNECTION_NAME_BYTES_MAX, |n| v1::CloneSpec {
            source: table(1, n),
            ..Default::default()
        }),
        ("spec.target.connection", CONNECTION_NAME_BYTES_MAX, |n| v1::CloneSpec {
            target: table(1, n),
            ..Default::default()
        }),
        ("spec.partition_filter", PARTITION_FILTER_BYTES_MAX, |n| v1::CloneSpec {
            partition_filter: text(n),
            ..Default::default()
        }),
        ("spec.properties", PROPERTIES_MAX, |n| v1::CloneSpec {
            properties: (0..n).map(|n| (n.to_string(), String::new())).collect(),
            ..Default::default()
        }),
        ("spec.properties", PROPERTY_NAME_BYTES_MAX, |n| property(n, 0)),
        ("spec.properties", PROPERTY_VALUE_BYTES_MAX, |n| property(1, n)),
        ("spec.allowed_features", ALLOWED_FEATURES_MAX, |n| v1::CloneSpec {
            allowed_features: vec!["f".to_owned(); n],
            ..Default::default()
        }),
        ("spec.allowed_features", FEATURE_NAME_BYTES_MAX, |n| v1::CloneSpec {
            allowed_features: vec![text(n)],
            ..Default::default()
        }),
    ];
    check(cases, |message| spec(&message));
    let heavy = v1::CloneSpec {
        properties: (0..PROPERTIES_MAX)
            .map(|n| (n.to_string(), text(PROPERTY_VALUE_BYTES_MAX)))
            .collect(),
        ..Default::default()
    };
    let error = spec(&heavy).unwrap_err();
    assert!(error.to_string().contains(&SPEC_BYTES_MAX.to_string()), "{error}");
}

#[test]
fn registrations_and_held_lists_are_bounded() {
    let cases: &[Case<v1::RegisterWorkerRequest>] = &[
        ("name", WORKER_NAME_BYTES_MAX, |n| v1::RegisterWorkerRequest {
            name: text(n),
            ..Default::default()
        }),
        ("version", WORKER_VERSION_BYTES_MAX, |n| v1::RegisterWorkerRequest {
            name: text(1),
            version: text(n),
            ..Default::default()
        }),
        ("connections", CONNECTIONS_PER_WORKER_MAX, |n| v1::RegisterWorkerRequest {
            name: text(1),
            connections: vec![v1::ConnectionOffer::default(); n],
            ..Default::default()
        }),
        ("connections.name", CONNECTION_NAME_BYTES_MAX, |n| v1::RegisterWorkerRequest {
            name: text(1),
            connections: vec![v1::ConnectionOffer { name: text(n), ..Default::default() }],
            ..Default::default()
        }),
        ("held", HELD_TASKS_MAX, |n| v1::RegisterWorkerRequest {
            name: text(1),
            held: vec![v1::GrantKey::default(); n],
            ..Default::default()
        }),
    ];
    check(cases, |message| registration(&message));
    assert!(registration(&v1::RegisterWorkerRequest::default()).is_err(), "a worker has a name");
    assert_eq!(held("returned", HELD_TASKS_MAX), Ok(()));
    assert!(held("returned", HELD_TASKS_MAX + 1).is_err());
}

fn receipts(objects: Vec<v1::ObjectReceipt>) -> v1::ReportTasksRequest {
    let receipt = v1::Receipt { objects, ..Default::default() };
    let outcome = Some(v1::task_outcome::Outcome::Receipt(receipt));
    let outcome = v1::TaskOutcome { outcome, ..Default::default() };
    v1::ReportTasksRequest { outcomes: vec![outcome], ..Default::default() }
}

#[test]
fn reports_are_bounded_and_their_messages_cut() {
    let cases: &[Case<v1::ReportTasksRequest>] = &[
        ("outcomes", OUTCOMES_PER_REPORT_MAX, |n| v1::ReportTasksRequest {
            outcomes: vec![v1::TaskOutcome::default(); n],
            ..Default::default()
        }),
        ("outcomes.receipt.objects", TASK_OBJECTS_MAX, |n| {
            receipts(vec![v1::ObjectReceipt::default(); n])
        }),
        ("outcomes.receipt.objects.source_etag", ENTITY_TAG_BYTES_MAX, |n| {
            receipts(vec![v1::ObjectReceipt { source_etag: text(n), ..Default::default() }])
        }),
        ("outcomes.receipt.objects.target_etag", ENTITY_TAG_BYTES_MAX, |n| {
            receipts(vec![v1::ObjectReceipt { target_etag: text(n), ..Default::default() }])
        }),
    ];
    check(cases, |mut message| report(&mut message));
    for (told, kept) in [
        ("short".to_owned(), "short".to_owned()),
        ("two\nlines\u{1b}[1m".to_owned(), "two lines\\u{1b}[1m".to_owned()),
        (text(FAILURE_MESSAGE_BYTES_MAX), text(FAILURE_MESSAGE_BYTES_MAX)),
        (text(FAILURE_MESSAGE_BYTES_MAX + 1), text(FAILURE_MESSAGE_BYTES_MAX - 3) + "…"),
        ("é".repeat(FAILURE_MESSAGE_BYTES_MAX), "é".repeat(510) + "…"),
    ] {
        let failure = v1::TaskFailure { message: told, ..Default::default() };
        let outcome = Some(v1::task_outcome::Outcome::Failure(failure));
        let outcomes = vec![v1::TaskOutcome { outcome, ..Default::default() }];
        let mut message = v1::ReportTasksRequest { outcomes, ..Default::default() };
        report(&mut message).unwrap();
        let Some(v1::task_outcome::Outcome::Failure(failure)) = message.outcomes.remove(0).outcome
        else {
            unreachable!()
        };
        assert_eq!(failure.message, kept);
    }
}
