// What every client here does: for each line of the input, one call and one line of output. `new` makes a new SDK client first.
import { createInterface } from "node:readline";

// An error with those that led to it, as Node prints it when nobody catches it, without the places in the code.
function told(error) {
  const causes = [error?.cause, error?.originalError, ...(error?.errors ?? [])].filter((cause) => cause instanceof Error);
  return [`${error?.name}: ${error?.message}`, ...causes.map(told)].join(" / ");
}

export async function serve(make, call) {
  let client;
  for await (const line of createInterface({ input: process.stdin })) {
    let answer;
    try {
      if (line.trim() === "new" || client === undefined) client = make();
      answer = { identity: await call(client) };
    } catch (error) {
      answer = { error: told(error) };
    }
    console.log(JSON.stringify(answer));
  }
}
