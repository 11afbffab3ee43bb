package main_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// cmdValidStatus is valid-status N: the N status files are what the published
// schemas say.
func cmdValidStatus(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, args, 1, "valid-status N")
	ofChild, ofRuntime := publishedSchema(ts, "status"), publishedSchema(ts, "runtime")
	files := 0
	err := filepath.WalkDir(ts.MkAbs("status"), func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == ".lock" {
			return err
		}
		files++
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return err
		}
		schema := ofChild
		if d.Name() == "reconciler.json" {
			schema = ofRuntime
		}
		if err := schema.Validate(value); err != nil {
			ts.Fatalf("%s: %v\n%s", file, err, text)
		}
		return nil
	})
	ts.Check(err)
	if strconv.Itoa(files) != args[0] {
		ts.Fatalf("%d status files, want %s", files, args[0])
	}
}

func publishedSchema(ts *testscript.TestScript, name string) *jsonschema.Schema {
	text, err := os.ReadFile(filepath.Join(docs, "schema", name+".json"))
	ts.Check(err)
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	ts.Check(err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	ts.Check(c.AddResource(name, parsed))
	schema, err := c.Compile(name)
	ts.Check(err)
	return schema
}

// docs is where our pages are, whatever directory a script is in.
var docs = func() string {
	dir, err := filepath.Abs(filepath.Join("..", "..", "docs"))
	if err != nil {
		panic(err)
	}
	return dir
}()
