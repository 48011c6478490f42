// When Quartz says that expressions are due: java -cp quartz.jar QuartzFires.java <questions >answers
// A question is a line: zone, first second that counts less one, how many, six fields as EventBridge has them, between tabs. The
// answer is a line too: seconds since 1970 between spaces, shorter where it ends, or "refused: why".
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Date;
import java.util.TimeZone;
import org.quartz.CronExpression;

class QuartzFires {
    static String answer(String[] asked) {
        try {
            CronExpression expression = new CronExpression("0 " + asked[3]); // Quartz has seconds before the minutes
            expression.setTimeZone(TimeZone.getTimeZone(asked[0]));
            Date at = new Date(Long.parseLong(asked[1]) * 1000);
            StringBuilder fires = new StringBuilder();
            for (int i = Integer.parseInt(asked[2]); i > 0; i--) {
                at = expression.getNextValidTimeAfter(at);
                if (at == null) break;
                fires.append(fires.length() == 0 ? "" : " ").append(at.getTime() / 1000);
            }
            return fires.toString();
        } catch (java.text.ParseException | RuntimeException why) {
            return "refused: " + String.valueOf(why.getMessage()).replace('\n', ' ');
        }
    }

    public static void main(String[] none) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) System.out.println(answer(line.split("\t")));
    }
}
