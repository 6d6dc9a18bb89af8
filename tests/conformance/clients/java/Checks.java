// pgjdbc: connects as libpq's variables say, does what standard input asks for (checks.py, "kind<tab>text" a line), prints
// outcomes as JSON.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.postgresql.PGConnection;

public class Checks {
    interface Check {
        Object run() throws Exception;
    }

    static final Map<String, Object> found = new LinkedHashMap<>();
    static final Map<String, List<String>> asked = new LinkedHashMap<>();
    static Connection connection;

    static Object outcome(Check check) throws Exception {
        try {
            return check.run();
        } catch (SQLException error) {
            return List.of("error", String.valueOf(error.getSQLState()));
        }
    }

    static void attempt(String feature, Check check) throws Exception {
        found.put(feature, outcome(check));
    }

    static Object rows(ResultSet result, String... columns) throws SQLException {
        List<Object> told = new ArrayList<>();
        int width = result.getMetaData().getColumnCount();
        while (result.next()) {
            List<Object> row = new ArrayList<>();
            if (columns.length == 0) {
                for (int i = 1; i <= width; i++) {
                    Object value = result.getObject(i);
                    row.add(value instanceof byte[] bytes ? HexFormat.of().formatHex(bytes) : result.getString(i));
                }
            }
            for (String column : columns) {
                row.add(result.getString(column));
            }
            told.add(row);
        }
        result.close();
        return told;
    }

    static Object query(String text) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            return statement.execute(text) ? rows(statement.getResultSet()) : "done";
        }
    }

    static Object each(String kind) throws Exception {
        List<Object> told = new ArrayList<>();
        for (String text : asked.get(kind)) {
            told.add(outcome(() -> query(text)));
        }
        return told;
    }

    static Object metadata() throws SQLException {
        DatabaseMetaData meta = connection.getMetaData();
        Map<String, Object> told = new LinkedHashMap<>();
        String schema = "public";
        told.put("product", List.of(meta.getDatabaseProductName(), meta.getDatabaseMajorVersion()));
        told.put("schemas", rows(meta.getSchemas(null, "public")));
        told.put("tables", rows(meta.getTables(null, schema, "%", new String[] {"TABLE", "VIEW"}), "TABLE_SCHEM", "TABLE_NAME",
            "TABLE_TYPE"));
        told.put("columns", rows(meta.getColumns(null, schema, "%", "%"), "TABLE_NAME", "COLUMN_NAME", "DATA_TYPE", "TYPE_NAME",
            "COLUMN_SIZE", "DECIMAL_DIGITS", "NULLABLE", "ORDINAL_POSITION", "IS_AUTOINCREMENT"));
        for (String table : List.of("accounts", "videos", "likes")) {
            told.put("keys of " + table, List.of(
                rows(meta.getPrimaryKeys(null, schema, table), "COLUMN_NAME", "KEY_SEQ", "PK_NAME"),
                rows(meta.getImportedKeys(null, schema, table), "PKTABLE_NAME", "PKCOLUMN_NAME", "FKCOLUMN_NAME", "FK_NAME"),
                rows(meta.getExportedKeys(null, schema, table), "FKTABLE_NAME", "FKCOLUMN_NAME", "PK_NAME"),
                rows(meta.getIndexInfo(null, schema, table, false, true), "INDEX_NAME", "NON_UNIQUE", "COLUMN_NAME", "TYPE"),
                rows(meta.getBestRowIdentifier(null, schema, table, 0, true), "COLUMN_NAME", "TYPE_NAME")));
        }
        told.put("procedures", rows(meta.getProcedures(null, schema, "%")));
        told.put("functions", rows(meta.getFunctions(null, "pg_catalog", "lower"), "FUNCTION_NAME"));
        told.put("user types", rows(meta.getUDTs(null, schema, "%", null), "TYPE_NAME"));
        told.put("table types", rows(meta.getTableTypes()));
        told.put("catalogs", rows(meta.getCatalogs()));
        told.put("keywords", meta.getSQLKeywords().length() > 100);
        told.put("length of names", meta.getMaxColumnNameLength());
        return told;
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null; ) {
            String[] parts = line.split("\t", 2);
            asked.computeIfAbsent(parts[0], kind -> new ArrayList<>()).add(parts[1]);
        }
        Map<String, String> env = System.getenv();
        Properties properties = new Properties();
        properties.setProperty("user", env.get("PGUSER"));
        properties.setProperty("password", env.get("PGPASSWORD"));
        properties.setProperty("sslmode", env.get("PGSSLMODE"));
        if (env.containsKey("PGSSLROOTCERT")) {
            properties.setProperty("sslrootcert", env.get("PGSSLROOTCERT"));
        }
        String url = "jdbc:postgresql://" + env.get("PGHOST") + ":" + env.get("PGPORT") + "/" + env.get("PGDATABASE");
        connection = DriverManager.getConnection(url, properties);

        attempt("sign in", () -> query("SELECT current_database(), version() LIKE 'PostgreSQL 18%'"));
        attempt("column types", () -> {
            List<Object> told = new ArrayList<>();
            for (String table : asked.get("table")) {
                try (PreparedStatement statement = connection.prepareStatement("SELECT * FROM " + table
                        + " ORDER BY 1, 2 LIMIT 20")) {
                    for (int i = 0; i < 7; i++) { // from the fifth time on it is prepared on the server, results are binary
                        Object rows = rows(statement.executeQuery());
                        if (i == 0 || i == 6) {
                            told.add(rows);
                        }
                    }
                }
            }
            return told;
        });
        attempt("parameters", () -> {
            List<Object> told = new ArrayList<>();
            for (String one : asked.get("parameter")) {
                String[] parts = one.split("\t", 3);
                try (PreparedStatement statement = connection.prepareStatement(parts[2].replace("$1", "?"))) {
                    switch (parts[0]) {
                        case "int" -> statement.setLong(1, Long.parseLong(parts[1]));
                        case "bool" -> statement.setBoolean(1, parts[1].equals("True"));
                        default -> statement.setString(1, parts[1]);
                    }
                    told.add(rows(statement.executeQuery()));
                }
            }
            return told;
        });
        attempt("prepared statements", () -> {
            List<Object> told = new ArrayList<>();
            try (PreparedStatement statement = connection.prepareStatement("SELECT handle FROM accounts WHERE id = ?")) {
                for (String key : asked.get("key")) {
                    statement.setLong(1, Long.parseLong(key));
                    told.add(rows(statement.executeQuery()));
                }
            }
            return told;
        });
        attempt("errors", () -> each("error"));
        attempt("transactions", () -> each("step"));
        attempt("rows in portions", () -> {
            connection.setAutoCommit(false);
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(7);
                return rows(statement.executeQuery("SELECT id FROM videos ORDER BY id LIMIT 50"));
            } finally {
                connection.rollback();
                connection.setAutoCommit(true);
            }
        });
        attempt("COPY TO STDOUT", () -> {
            StringWriter out = new StringWriter();
            connection.unwrap(PGConnection.class).getCopyAPI().copyOut(asked.get("copy").get(0), out);
            return out.toString();
        });
        attempt("cancel", () -> {
            try (Statement statement = connection.createStatement()) {
                statement.setQueryTimeout(1);
                return rows(statement.executeQuery(asked.get("long").get(0)));
            }
        });
        attempt("catalogue", Checks::metadata);
        attempt("change", () -> query(asked.get("change").get(0)));
        attempt("hidden column", () -> query(asked.get("hidden").get(0)));
        attempt("its own transactions", () -> {
            List<Object> told = new ArrayList<>();
            connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
            connection.setReadOnly(true);
            connection.setAutoCommit(false);
            told.add(query("SELECT count(*) FROM accounts"));
            connection.commit();
            connection.setAutoCommit(true);
            told.add(connection.isValid(5));
            return told;
        });
        connection.close();
        new PrintStream(System.out, true, StandardCharsets.UTF_8).println(json(found));
    }

    static String json(Object value) {
        if (value == null || value instanceof Boolean || value instanceof Number) {
            return String.valueOf(value);
        }
        List<String> parts = new ArrayList<>();
        if (value instanceof Map<?, ?> map) {
            map.forEach((name, one) -> parts.add(json(name) + ": " + json(one)));
            return "{" + String.join(", ", parts) + "}";
        }
        if (value instanceof List<?> list) {
            list.forEach(one -> parts.add(json(one)));
            return "[" + String.join(", ", parts) + "]";
        }
        StringBuilder text = new StringBuilder("\"");
        for (char c : value.toString().toCharArray()) {
            text.append(c < 32 || c == '"' || c == '\\' ? String.format("\\u%04x", (int) c) : String.valueOf(c));
        }
        return text.append('"').toString();
    }
}
