// The AWS SDK for Go, version 2, with everything as it is by default.
package main

import (
	"context"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"deputy.dev/tests/sdks/lines"
)

func main() {
	lines.Serve(func() (func() (string, error), error) {
		ctx := context.Background()
		loaded, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, err
		}
		endpoint := os.Getenv("AWS_ENDPOINT_URL")
		client := sts.NewFromConfig(loaded, func(o *sts.Options) { o.BaseEndpoint = &endpoint })
		return func() (string, error) {
			identity, err := client.GetCallerIdentity(ctx, nil)
			if err != nil {
				return "", err
			}
			return *identity.Arn, nil
		}, nil
	})
}
