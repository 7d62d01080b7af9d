// The AWS SDK for Go, version 1, with everything as it is by default.
package main

import (
	"os"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/sts"

	"deputy.dev/tests/sdks/lines"
)

func main() {
	lines.Serve(func() (func() (string, error), error) {
		made, err := session.NewSession()
		if err != nil {
			return nil, err
		}
		client := sts.New(made, aws.NewConfig().WithEndpoint(os.Getenv("AWS_ENDPOINT_URL")))
		return func() (string, error) {
			identity, err := client.GetCallerIdentity(nil)
			if err != nil {
				return "", err
			}
			return *identity.Arn, nil
		}, nil
	})
}
