import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.concurrent.Callable;

/** What every client here does: for each line of the input, one call and one line of output. `new` makes a new SDK client first. */
final class Lines {
    static void serve(Callable<Callable<String>> make) throws Exception {
        Callable<String> call = null;
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String name = "identity";
            String text;
            try {
                if (line.equals("new") || call == null) call = make.call();
                text = call.call();
            } catch (Exception error) {
                name = "error";
                text = told(error);
            }
            System.out.println("{\"" + name + "\": \"" + quoted(text) + "\"}");
            System.out.flush();
        }
    }

    /** An exception with its causes, as Java prints them when nobody catches it, without the places in the code. */
    private static String told(Throwable error) {
        return error.getCause() == null ? error.toString() : error + " / Caused by: " + told(error.getCause());
    }

    private static String quoted(String text) {
        return text.replace("\\", "\\\\").replace("\"", "\\\"").replaceAll("\\p{Cntrl}", " ");
    }
}
