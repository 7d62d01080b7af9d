// The AWS SDK for JavaScript, version 3; the argument is the package's name.
import { serve } from "./lines.mjs";

const { STSClient, GetCallerIdentityCommand } = await import(process.argv[2]);

await serve(
  () => new STSClient({ endpoint: process.env.AWS_ENDPOINT_URL }),
  async (sts) => (await sts.send(new GetCallerIdentityCommand({}))).Arn,
);
