//! Who asked for what is on record.

use deepclone_core::reason::Reason;
use deepclone_proto::v1;
use deepclone_proto::v1::audit_service_client::AuditServiceClient;
use deepclone_proto::v1::job_service_client::JobServiceClient;

use crate::guarded::{Guarded, reason};
use crate::support::Lake;

#[tokio::test]
async fn changes_and_refusals_are_on_record_and_questions_are_not() {
    let lake = Lake::new();
    lake.commit("sales/orders", 0, &[("a", b"1")]);
    let guarded = Guarded::start(&lake).await;
    let mut jobs = JobServiceClient::new(guarded.channel.clone());
    let create = |of: &str, target: &str, validate_only: bool| {
        let job =
            Some(v1::Job { spec: Some(lake.spec("sales/orders", target)), ..v1::Job::default() });
        guarded.by(of, v1::CreateJobRequest { job, validate_only, ..Default::default() })
    };
    jobs.create_job(create("sales", "dr/orders", true)).await.unwrap();
    let made = jobs.create_job(create("sales", "dr/orders", false)).await.unwrap().into_inner();
    jobs.create_job(create("sales", "hr/orders", false)).await.unwrap_err();
    jobs.create_job(create("sales", "sales/orders", false)).await.unwrap_err();
    let look = |of: &str| guarded.by(of, v1::GetJobRequest { name: made.name.clone() });
    jobs.get_job(look("viewer")).await.unwrap();
    jobs.get_job(look("wrong")).await.unwrap_err();
    let cancel = v1::CancelJobRequest { name: made.name.clone() };
    jobs.cancel_job(guarded.by("viewer", cancel)).await.unwrap_err();
    let (_, operator) = guarded.tokens.iter().find(|(of, _)| *of == "operator").unwrap();
    let worker = format!("workers/{}", uuid::Uuid::nil());
    let form = format!("/{worker}/drain");
    guarded.http("POST", &form, Some(&format!("Bearer {operator}"))).await;

    let mut audit = AuditServiceClient::new(guarded.channel.clone());
    let answer = audit.list_audit_events(guarded.by("viewer", Default::default())).await;
    assert_eq!(reason(answer), Reason::AccessDenied);
    let expected = [
        ("sales", "JobService/CreateJob", made.name.as_str(), "OK"),
        ("sales", "JobService/CreateJob", "", "INVALID_ARGUMENT"),
        ("operator", "page/drain", &worker, "HTTP_403"),
        ("sales", "JobService/CreateJob", &lake.uri("hr/orders"), "ACCESS_DENIED"),
        ("", "JobService/GetJob", "", "UNAUTHENTICATED"),
        ("viewer", "JobService/CancelJob", "", "ACCESS_DENIED"),
        ("viewer", "AuditService/ListAuditEvents", "", "ACCESS_DENIED"),
    ];
    // Refusals are written beside the calls.
    let events = loop {
        let message = v1::ListAuditEventsRequest::default();
        let page = audit.list_audit_events(guarded.by("operator", message)).await.unwrap();
        let events = page.into_inner().events;
        if events.len() >= expected.len() {
            break events;
        }
        tokio::task::yield_now().await;
    };
    let mut shown: Vec<_> =
        events.iter().map(|of| (&*of.principal, &*of.call, &*of.resource, &*of.outcome)).collect();
    let mut expected = expected.to_vec();
    shown.sort_unstable();
    expected.sort_unstable();
    assert_eq!(shown, expected);
    assert!(events.iter().all(|of| of.address.starts_with("127.0.0.1:")), "{events:?}");
    let denied = events.iter().find(|of| of.resource.ends_with("hr/orders")).unwrap();
    assert!(denied.message.contains("outside its scope"), "{denied:?}");
    // By pages, and by principal.
    let page = |page_token: String| {
        let message = v1::ListAuditEventsRequest { page_size: 3, page_token, ..Default::default() };
        guarded.by("operator", message)
    };
    let first = audit.list_audit_events(page(String::new())).await.unwrap().into_inner();
    let second = audit.list_audit_events(page(first.next_page_token)).await.unwrap().into_inner();
    assert_eq!([first.events, second.events].concat(), events[..6]);
    let principal = "viewer".to_owned();
    let message = v1::ListAuditEventsRequest { principal, ..Default::default() };
    let of_viewer = audit.list_audit_events(guarded.by("operator", message)).await.unwrap();
    assert_eq!(of_viewer.into_inner().events.len(), 2);
    guarded.stop().await;
}
