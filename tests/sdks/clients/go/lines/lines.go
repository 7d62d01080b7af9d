// Package lines is what every client here does: for each line of the input, one call and one line of output. `new` makes a new SDK
// client first.
package lines

import (
	"bufio"
	"encoding/json"
	"os"
)

// Serve answers the lines of the standard input. make gives a client: who calls it learns who it is for AWS.
func Serve(make func() (func() (string, error), error)) {
	var call func() (string, error)
	input, output := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	for input.Scan() {
		var err error
		if input.Text() == "new" || call == nil {
			call, err = make()
		}
		answer := map[string]string{}
		if err == nil {
			answer["identity"], err = call()
		}
		if err != nil {
			answer = map[string]string{"error": err.Error()}
		}
		if output.Encode(answer) != nil {
			return
		}
	}
}
