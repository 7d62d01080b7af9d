import java.net.URI;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.services.sts.StsClient;

/** The AWS SDK for Java, version 2, with the HTTP client of the class path (url-connection-client). */
final class V2 {
    public static void main(String[] arguments) throws Exception {
        Lines.serve(() -> {
            StsClient client = StsClient.builder()
                .endpointOverride(URI.create(System.getenv("AWS_ENDPOINT_URL")))
                .credentialsProvider(DefaultCredentialsProvider.builder().build())
                .build();
            return () -> client.getCallerIdentity().arn();
        });
    }
}
