// The AWS SDK for JavaScript, version 2; the argument is the package's name. The chain of credentials is one for the process.
import { serve } from "./lines.mjs";

const AWS = (await import(process.argv[2])).default;

await serve(
  () => {
    const credentialProvider = new AWS.CredentialProviderChain();
    return new AWS.STS({ endpoint: process.env.AWS_ENDPOINT_URL, credentials: null, credentialProvider });
  },
  async (sts) => (await sts.getCallerIdentity().promise()).Arn,
);
