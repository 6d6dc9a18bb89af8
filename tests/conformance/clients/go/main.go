// pgx 5: connects as libpq's variables say, does what standard input asks for (checks.py), prints outcomes.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

type asked struct {
	Tables     []string `json:"tables"`
	Parameters [][2]any `json:"parameters"`
	Keys       []int64  `json:"keys"`
	Errors     []string `json:"errors"`
	Steps      []string `json:"steps"`
	Copy       string   `json:"copy"`
	Long       string   `json:"long"`
	Change     string   `json:"change"`
	Hidden     string   `json:"hidden"`
}

type querier interface {
	Query(ctx context.Context, text string, arguments ...any) (pgx.Rows, error)
}

var ctx = context.Background()

// plain makes JSON of what pgx decoded: pgx's own types print as Go values, the same on both sides.
func plain(value any) any {
	switch value := value.(type) {
	case nil, bool, string, int16, int32, int64, float32, float64, map[string]any, []any:
		return value
	case time.Time:
		return value.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprintf("%v", value)
}

func rows(on querier, text string, arguments ...any) (any, error) {
	found, err := on.Query(ctx, text, arguments...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, func(row pgx.CollectableRow) ([]any, error) {
		values, err := row.Values()
		for i, value := range values {
			values[i] = plain(value)
		}
		return values, err
	})
}

// tell is the outcome of one check: an error of the server is one too.
func tell(value any, err error) any {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return []string{"error", refused.Code}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return []string{"timeout"}
	}
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	var want asked
	if err := json.NewDecoder(os.Stdin).Decode(&want); err != nil {
		panic(err)
	}
	pool, err := pgxpool.New(ctx, "")
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	held, err := pool.Acquire(ctx)
	if err != nil {
		panic(err)
	}
	connection := held.Conn()
	found := [][2]any{}
	attempt := func(feature string, check func() (any, error)) {
		found = append(found, [2]any{feature, tell(check())})
	}
	each := func(texts []string) []any {
		told := []any{}
		for _, text := range texts {
			told = append(told, tell(rows(connection, text)))
		}
		return told
	}

	attempt("sign in", func() (any, error) {
		return rows(connection, "SELECT current_database(), version() LIKE 'PostgreSQL 18%'")
	})
	attempt("column types", func() (any, error) {
		texts := []string{}
		for _, table := range want.Tables {
			texts = append(texts, "SELECT * FROM "+table+" ORDER BY 1, 2 LIMIT 20")
		}
		return each(texts), nil
	})
	attempt("parameters", func() (any, error) {
		told := []any{}
		for _, one := range want.Parameters {
			value := one[1]
			if number, ok := value.(float64); ok {
				value = int64(number)
			}
			told = append(told, tell(rows(connection, one[0].(string), value)))
		}
		return told, nil
	})
	attempt("prepared statements", func() (any, error) {
		if _, err := connection.Prepare(ctx, "by key", "SELECT handle FROM accounts WHERE id = $1"); err != nil {
			return nil, err
		}
		told := []any{}
		for _, key := range want.Keys {
			told = append(told, tell(rows(connection, "by key", key)))
		}
		return told, nil
	})
	attempt("errors", func() (any, error) { return each(want.Errors), nil })
	attempt("transactions", func() (any, error) { return each(want.Steps), nil })
	attempt("rows in portions", func() (any, error) {
		return each([]string{
			"BEGIN", "DECLARE c CURSOR FOR SELECT id FROM videos ORDER BY id LIMIT 50", "FETCH 3 FROM c", "FETCH FORWARD 7 FROM c",
			"FETCH ALL FROM c", "CLOSE c", "COMMIT",
		}), nil
	})
	attempt("pipeline or batch", func() (any, error) {
		batch := &pgx.Batch{}
		for _, key := range want.Keys {
			batch.Queue("SELECT id, handle FROM accounts WHERE id = $1", key)
		}
		results := connection.SendBatch(ctx, batch)
		defer results.Close()
		told := []any{}
		for range want.Keys {
			found, err := results.Query()
			if err != nil {
				return nil, err
			}
			part, err := pgx.CollectRows(found, pgx.RowToMap)
			if err != nil {
				return nil, err
			}
			told = append(told, part)
		}
		return told, nil
	})
	attempt("COPY TO STDOUT", func() (any, error) {
		var out bytes.Buffer
		_, err := connection.PgConn().CopyTo(ctx, &out, want.Copy)
		return out.String(), err
	})
	attempt("change", func() (any, error) { return rows(connection, want.Change) })
	attempt("hidden column", func() (any, error) { return rows(connection, want.Hidden) })
	attempt("its own transactions", func() (any, error) {
		transaction, err := connection.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
		if err != nil {
			return nil, err
		}
		defer transaction.Rollback(ctx)
		return rows(transaction, "SELECT count(*) FROM accounts")
	})
	held.Release()
	attempt("pool", func() (any, error) {
		told := []any{}
		for n := range 20 {
			told = append(told, tell(rows(pool, "SELECT $1::int", n)))
		}
		return told, nil
	})
	attempt("cancel", func() (any, error) {
		slow, err := pool.Acquire(ctx)
		if err != nil {
			return nil, err
		}
		defer slow.Release()
		done := make(chan any)
		go func() { done <- tell(rows(slow.Conn(), want.Long)) }()
		time.Sleep(300 * time.Millisecond)
		if err := slow.Conn().PgConn().CancelRequest(ctx); err != nil {
			return nil, err
		}
		return <-done, nil
	})

	// a map would forget the order
	var told bytes.Buffer
	for i, one := range found {
		name, _ := json.Marshal(one[0])
		value, err := json.Marshal(one[1])
		if err != nil {
			panic(err)
		}
		separator := ","
		if i == 0 {
			separator = "{"
		}
		fmt.Fprintf(&told, "%s%s:%s", separator, name, value)
	}
	fmt.Println(told.String() + "}")
}
