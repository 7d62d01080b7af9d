import com.amazonaws.auth.DefaultAWSCredentialsProviderChain;
import com.amazonaws.client.builder.AwsClientBuilder.EndpointConfiguration;
import com.amazonaws.services.securitytoken.AWSSecurityTokenService;
import com.amazonaws.services.securitytoken.AWSSecurityTokenServiceClientBuilder;
import com.amazonaws.services.securitytoken.model.GetCallerIdentityRequest;

/** The AWS SDK for Java, version 1. */
final class V1 {
    public static void main(String[] arguments) throws Exception {
        Lines.serve(() -> {
            AWSSecurityTokenService client = AWSSecurityTokenServiceClientBuilder.standard()
                .withEndpointConfiguration(new EndpointConfiguration(System.getenv("AWS_ENDPOINT_URL"), System.getenv("AWS_REGION")))
                .withCredentials(new DefaultAWSCredentialsProviderChain())
                .build();
            return () -> client.getCallerIdentity(new GetCallerIdentityRequest()).getArn();
        });
    }
}
