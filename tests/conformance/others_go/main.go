// Run by the tests: torchwood and golang.org/x/mod/sumdb read a whole public log and receipts of its entries.
// Prints "accepted", or why not.
//
//	others LOG POLICY OLD_CHECKPOINT RECEIPTS
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

func refusal(log, policyFile, oldFile, receipts string) error {
	text, err := os.ReadFile(policyFile)
	if err != nil {
		return err
	}
	policy, err := torchwood.ParsePolicy(text)
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	signed, err := os.ReadFile(filepath.Join(log, "checkpoint"))
	if err != nil {
		return err
	}
	checkpoint, _, err := torchwood.VerifyCheckpoint(signed, policy)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	files, err := torchwood.NewTileFS(os.DirFS(log))
	if err != nil {
		return err
	}
	client, err := torchwood.NewClient(files)
	if err != nil {
		return err
	}
	ctx := context.Background()
	leaves := []tlog.Hash{}
	for index, entry := range client.AllEntries(ctx, checkpoint.Tree, 0) {
		if index != int64(len(leaves)) {
			return fmt.Errorf("entry %d comes after %d others", index, len(leaves))
		}
		leaves = append(leaves, tlog.RecordHash(entry))
	}
	if err := client.Err(); err != nil {
		return fmt.Errorf("tiles: %w", err)
	}
	if int64(len(leaves)) != checkpoint.N {
		return fmt.Errorf("%d entries instead of %d", len(leaves), checkpoint.N)
	}
	old, err := os.ReadFile(oldFile)
	if err != nil {
		return err
	}
	before, err := torchwood.ParseCheckpoint(string(old[:strings.Index(string(old), "\n\n")+1]))
	if err != nil {
		return err
	}
	hashes := torchwood.TileHashReaderWithContext(ctx, checkpoint.Tree, files)
	proof, err := tlog.ProveTree(checkpoint.N, before.N, hashes)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(proof, checkpoint.N, checkpoint.Hash, before.N, before.Hash); err != nil {
		return fmt.Errorf("consistency: %w", err)
	}
	names, err := filepath.Glob(filepath.Join(receipts, "*.tlog-proof"))
	if err != nil || len(names) == 0 {
		return fmt.Errorf("no receipts: %v", err)
	}
	for _, name := range names {
		receipt, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		index, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(name), ".tlog-proof"), 10, 64)
		if err != nil {
			return err
		}
		if err := torchwood.VerifyProof(policy, leaves[index], receipt); err != nil {
			return fmt.Errorf("receipt of entry %d: %w", index, err)
		}
	}
	return nil
}

func main() {
	if err := refusal(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("accepted")
}
