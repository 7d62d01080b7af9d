//! A pod that ends while it is answered.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::*;

/// The pod that asks ends while STS makes its session.
struct EndingPodSts {
    index: Arc<Index>,
    pod: ObjectMeta,
    sts: FixedSts,
}

#[async_trait]
impl Sts for EndingPodSts {
    async fn assume_role(&self, request: &SessionRequest) -> Result<Session, AwsError> {
        self.index.delete(ResourceKind::Pods, &self.pod);
        self.sts.assume_role(request).await
    }
    async fn federation_token(&self, request: &FederationRequest) -> Result<Session, AwsError> {
        self.sts.federation_token(request).await
    }
    async fn caller_identity(&self) -> Result<deputy_aws::CallerIdentity, AwsError> {
        self.sts.caller_identity().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_made_while_its_pod_ended_is_given_to_nobody() {
    let log = CapturedLog::default();
    let subscriber = deputy_runtime::telemetry::subscriber("info", log.clone()).unwrap();
    let _guard = tracing::subscriber::set_default(subscriber);
    let pod = ObjectMeta {
        namespace: Some("payments".into()),
        name: Some("uploader-1".into()),
        uid: Some("0af1".into()),
        ..ObjectMeta::default()
    };
    let index = index();
    index.apply_metadata(ResourceKind::Pods, &pod);
    let sts = EndingPodSts {
        index: index.clone(),
        pod,
        sts: FixedSts::default(),
    };
    let router = broker(index, false, Arc::new(sts));
    let answer = exchange(&router, REQUEST).await;
    assert!(
        answer.starts_with("403\n") && answer.contains("PodGone"),
        "{answer}"
    );
    assert!(!answer.contains("SecretAccessKey"), "{answer}");
    assert!(!log.text().contains("SessionDelivered"), "{}", log.text());
}
