//! `aws_role_arn`: a role that is assumed from the other credentials of a connection, by AWS's
//! Security Token Service.
//!
//! Its source: the action `AssumeRole` of the service's API, version 2011-06-15.

use std::time::Duration;

use async_trait::async_trait;
use deepclone_core::unix_time::UnixTime;
use object_store::aws::{AwsAuthorizer, AwsCredential, AwsCredentialProvider};
use object_store::client::{HttpClient, HttpRequest, HttpRequestBody, HttpResponse};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::renewed::{CredentialSource, end_of};
use crate::store::redact::redact_line;
use crate::store::xml;

/// The key of the role.
pub(super) const ROLE: &str = "aws_role_arn";
/// The key of the identifier that the owner of a role in another account asks for.
pub(super) const EXTERNAL_ID: &str = "aws_role_external_id";
/// The name of the session when the settings have none; the role's owner sees it in the trail.
const SESSION_NAME: &str = "deepclone";
/// How long the credentials count: the most where one role leads to another.
const SESSION_SECONDS: u32 = 3600;
/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// The most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// The pauses before it is asked again, after no answer or one of a server that is not well.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// A role, and whose credentials assume it.
pub(super) struct AssumedRole {
    pub(super) client: HttpClient,
    pub(super) base: AwsCredentialProvider,
    pub(super) endpoint: String,
    pub(super) region: String,
    pub(super) role: String,
    pub(super) session_name: Option<String>,
    pub(super) external_id: Option<String>,
}

/// Why there are no credentials.
struct Refused {
    why: String,
    /// True when the same question may be answered later.
    may_pass: bool,
}

impl Refused {
    fn passing(why: String) -> Self {
        Self { why, may_pass: true }
    }

    fn final_for(why: String) -> Self {
        Self { why, may_pass: false }
    }
}

impl AssumedRole {
    /// The URL that asks for credentials.
    fn url(&self) -> String {
        let name = self.session_name.as_deref().unwrap_or(SESSION_NAME);
        let seconds = SESSION_SECONDS.to_string();
        let mut pairs = vec![
            ("Action", "AssumeRole"),
            ("DurationSeconds", seconds.as_str()),
            ("RoleArn", self.role.as_str()),
            ("RoleSessionName", name),
            ("Version", "2011-06-15"),
        ];
        pairs.extend(self.external_id.as_deref().map(|id| ("ExternalId", id)));
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let pairs = pairs.iter().map(|(key, value)| format!("{key}={}", encoded(value)));
        format!("{}/?{}", self.endpoint, pairs.collect::<Vec<_>>().join("&"))
    }

    async fn once(&self) -> Result<(AwsCredential, UnixTime), Refused> {
        let base = self.base.get_credential().await;
        // The client of the base says of itself whether it is worth another try.
        let base = base.map_err(|error| Refused::passing(redact_line(&error.to_string())))?;
        let request = http::Request::get(self.url()).body(HttpRequestBody::empty());
        let mut request: HttpRequest =
            request.map_err(|_| Refused::final_for("its URL has a mistake".to_owned()))?;
        AwsAuthorizer::new(&base, "sts", &self.region)
            .try_authorize(&mut request, None)
            .map_err(|error| Refused::final_for(redact_line(&error.to_string())))?;
        let answer = async {
            let answer = self.client.execute(request).await;
            let answer = answer.map_err(|error| redact_line(&error.to_string()))?;
            let status = answer.status();
            Ok((status, text_of(answer).await?))
        };
        let answer = tokio::time::timeout(ANSWER_MAX, answer).await;
        let answer = answer.unwrap_or_else(|_| Err(format!("no answer in {ANSWER_MAX:?}")));
        let (status, text) = answer.map_err(Refused::passing)?;
        let element = |name: &str| {
            let found = xml::elements(&text, name).next();
            found.map(|(_, inner)| xml::unescaped(inner.trim()).into_owned())
        };
        if status != http::StatusCode::OK {
            let said = [element("Code"), element("Message")];
            let said = said.into_iter().flatten().collect::<Vec<_>>().join(": ");
            let why = redact_line(&format!("the answer is {status} {said}"));
            let may_pass = status.is_server_error() || status.as_u16() == 429;
            return Err(Refused { why, may_pass });
        }
        let told = |name: &str| {
            let found = element(name).filter(|text| !text.is_empty());
            found.ok_or_else(|| Refused::final_for(format!("the answer has no {name}")))
        };
        let credential = AwsCredential {
            key_id: told("AccessKeyId")?,
            secret_key: told("SecretAccessKey")?,
            token: Some(told("SessionToken")?),
        };
        let ends = end_of(&told("Expiration")?).map_err(Refused::final_for)?;
        Ok((credential, ends))
    }
}

#[async_trait]
impl CredentialSource for AssumedRole {
    type Credential = AwsCredential;

    async fn ask(&self) -> Result<(AwsCredential, Option<UnixTime>), String> {
        for pause in PAUSES {
            match self.once().await {
                Err(refused) if refused.may_pass => tokio::time::sleep(pause).await,
                answered => return finished(answered),
            }
        }
        finished(self.once().await)
    }
}

fn finished(
    answered: Result<(AwsCredential, UnixTime), Refused>,
) -> Result<(AwsCredential, Option<UnixTime>), String> {
    answered.map(|(told, ends)| (told, Some(ends))).map_err(|refused| refused.why)
}

/// Reads the text of an answer.
async fn text_of(answer: HttpResponse) -> Result<String, String> {
    use http_body_util::{BodyExt as _, Limited};
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|_| "the answer did not come whole".to_owned())?;
    String::from_utf8(body.to_bytes().to_vec()).map_err(|_| "the answer is no text".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};

    use axum::extract::State;
    use http::{HeaderMap, StatusCode, Uri};
    use object_store::{ClientOptions, ObjectStoreExt as _, StaticCredentialProvider};
    use tokio::net::TcpListener;

    use super::super::{Connections, Side};
    use super::*;
    use crate::config::Config;
    use crate::store::client::plain_client;

    #[derive(Default)]
    struct Service {
        answers: VecDeque<(u16, String)>,
        asked: Vec<(String, String)>,
    }

    type Shared = Arc<Mutex<Service>>;

    async fn answer(
        State(shared): State<Shared>,
        uri: Uri,
        headers: HeaderMap,
    ) -> (StatusCode, String) {
        let mut service = shared.lock().unwrap();
        let authorization = headers["authorization"].to_str().unwrap().to_owned();
        service.asked.push((uri.to_string(), authorization));
        let (status, text) = service.answers.pop_front().unwrap();
        (StatusCode::from_u16(status).unwrap(), text)
    }

    async fn role(answers: Vec<(u16, String)>) -> (AssumedRole, Shared) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let shared = Shared::default();
        shared.lock().unwrap().answers = answers.into();
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let base = AwsCredential {
            key_id: "BASE".to_owned(),
            secret_key: "hunter2".to_owned(),
            token: None,
        };
        let role = AssumedRole {
            client: plain_client(&ClientOptions::new().with_allow_http(true)).unwrap(),
            base: Arc::new(StaticCredentialProvider::new(base)),
            endpoint,
            region: "eu-west-1".to_owned(),
            role: "arn:aws:iam::123456789012:role/reader".to_owned(),
            session_name: None,
            external_id: Some("of our contract/7".to_owned()),
        };
        (role, shared)
    }

    fn told(key: &str) -> (u16, String) {
        let text = format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleResult><AssumedRoleUser><Arn>arn</Arn></AssumedRoleUser><Credentials>\
             <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>a&amp;b</SecretAccessKey>\
             <SessionToken>token</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration>\
             </Credentials></AssumeRoleResult></AssumeRoleResponse>"
        );
        (200, text)
    }

    #[tokio::test]
    async fn the_question_names_the_role_and_is_signed_by_the_base() {
        let (role, shared) = role(vec![told("NEW")]).await;
        let (credential, ends) = role.ask().await.unwrap();
        assert_eq!((credential.key_id.as_str(), credential.secret_key.as_str()), ("NEW", "a&b"));
        assert_eq!(credential.token.as_deref(), Some("token"));
        assert_eq!(ends, Some(UnixTime(4_102_444_800_000)));
        let (uri, authorization) = shared.lock().unwrap().asked.remove(0);
        let expected = "/?Action=AssumeRole&DurationSeconds=3600&\
                        RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Freader&\
                        RoleSessionName=deepclone&Version=2011%2D06%2D15&\
                        ExternalId=of%20our%20contract%2F7";
        assert_eq!(uri, expected);
        let scope = "/eu-west-1/sts/aws4_request";
        assert!(authorization.contains("Credential=BASE/"), "{authorization}");
        assert!(authorization.contains(scope), "{authorization}");
    }

    #[tokio::test]
    async fn a_store_is_asked_with_the_credentials_of_the_role() {
        let (role, shared) = role(vec![told("ROLE"), (404, String::new())]).await;
        let text = format!(
            "[connections.lake]\nurl = \"s3://b\"\nroles = [\"source\"]\n\
             aws_endpoint_url = \"{0}\"\naws_endpoint_url_sts = \"{0}\"\n\
             aws_role_arn = \"arn\"\naws_role_session_name = \"dr\"\n\
             credential_command = \"echo '{{\\\"AccessKeyId\\\":\\\"CMD\\\",\
             \\\"SecretAccessKey\\\":\\\"s\\\"}}'\"",
            role.endpoint
        );
        let connections = Connections::from_config(&Config::parse(&text).unwrap()).unwrap();
        let table = connections.below("lake", "t").unwrap();
        let resolved = connections.resolve(&table, Side::Source).unwrap();
        let store = connections.open(&resolved).unwrap().store;
        store.get(&"t/object".into()).await.unwrap_err();
        let asked = shared.lock().unwrap().asked.clone();
        assert!(asked[0].0.contains("RoleSessionName=dr"), "{asked:?}");
        assert!(asked[0].1.contains("Credential=CMD/"), "{asked:?}");
        assert!(asked[1].1.contains("Credential=ROLE/"), "{asked:?}");
    }

    #[tokio::test]
    async fn what_passes_is_tried_again_and_the_rest_is_said_without_secrets() {
        let error = |code: &str| {
            format!(
                "<ErrorResponse><Error><Code>{code}</Code><Message>who <b>\nno</Message></Error>"
            )
        };
        let (role_of, _) = role(vec![(503, String::new()), (429, String::new()), told("K")]).await;
        assert_eq!(role_of.ask().await.unwrap().0.key_id, "K");
        for (answers, part, asked) in [
            (vec![(403, error("AccessDenied"))], "403 Forbidden AccessDenied: who <b> no", 1),
            (vec![(503, error("Busy")); 3], "503 Service Unavailable Busy", 3),
            (vec![told("")], "no AccessKeyId", 1),
            (vec![(200, "x".repeat(ANSWER_BYTES_MAX + 1)); 3], "did not come whole", 3),
        ] {
            let (role_of, shared) = role(answers).await;
            let refused = role_of.ask().await.unwrap_err();
            assert!(refused.contains(part), "{refused}");
            assert!(!refused.contains("hunter2") && !refused.contains('\n'), "{refused}");
            assert_eq!(shared.lock().unwrap().asked.len(), asked);
        }
    }
}
