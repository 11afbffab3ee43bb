package server

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi/datamodel"
	"sigs.k8s.io/yaml"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

var update = flag.Bool("update", false, "write openapi.yaml anew, from testdata/openapi.base.yaml")

// copies are where the document stands: embedded, and for readers.
var copies = []string{"../openapi.yaml", "../../../docs/openapi.yaml"}

const commandPath = `  /v1/children/{id}/VERB:
    parameters: [{$ref: "#/components/parameters/id"}]
    post:
      operationId: postVERB
      tags: [command]
      summary: SUMMARY
      requestBody: {$ref: "#/components/requestBodies/Command"}
      responses:
        "200": {description: What became of it., content: {application/json: {schema: {$ref: "#/components/schemas/Outcome"}}}}
        "400": {$ref: "#/components/responses/Error"}
        "404": {$ref: "#/components/responses/Error"}
MORE        default: {$ref: "#/components/responses/Error"}
`

var summaries = map[string]string{
	"pause": "Stop a child and keep it stopped until resume or restart", "quarantine": "Stop a child until resume, restart or a changed manifest",
	"restart": "Replace the running process, or start a child that has none", "resume": "End a pause or a quarantine and start the child",
	"signal": "Send a signal to the main process of a child",
}

// document makes the whole document from its base.
func document(t *testing.T) []byte {
	t.Helper()
	base, err := os.ReadFile("testdata/openapi.base.yaml")
	must(t, err)
	var commands strings.Builder
	for _, verb := range verbs {
		more := ""
		if verb == "signal" {
			more = "        \"409\": {$ref: \"#/components/responses/Error\"}\n"
		}
		commands.WriteString(strings.NewReplacer("VERB", verb, "SUMMARY", summaries[verb], "MORE", more).Replace(commandPath))
	}
	text := strings.Replace(string(base), "COMMANDS\n", commands.String(), 1)
	return []byte(text)
}

func TestTheDocumentStandsInItsPlaces(t *testing.T) {
	want := document(t)
	for _, file := range copies {
		if *update {
			must(t, os.WriteFile(file, want, 0o644))
		}
		got, err := os.ReadFile(file)
		must(t, err)
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not the document of now; run with -update (-want +got):\n%s", file, diff)
		}
	}
}

// parsed is the document as plain values.
func parsed(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	must(t, yaml.Unmarshal(control.OpenAPI, &v))
	return v
}

func TestEveryTypeIsDescribedWhole(t *testing.T) {
	schemas := parsed(t)["components"].(map[string]any)["schemas"].(map[string]any)
	for name, v := range map[string]any{
		"ErrorBody": control.ErrorBody{}, "Error": control.Error{}, "Health": control.Health{}, "Children": control.Children{},
		"Command": control.Command{}, "Outcome": control.Outcome{}, "Plan": control.Plan{}, "Action": control.Action{},
		"Difference": control.Difference{}, "ReconcileRequest": control.ReconcileRequest{}, "Pass": control.Pass{},
		"ShutdownRequest": control.ShutdownRequest{}, "ShutdownReport": control.ShutdownReport{}, "LogLine": control.LogLine{},
		"Problem": desired.Problem{}, "Stall": desired.Stall{}, "Reconcile": status.Reconcile{}, "ReconcileError": status.ReconcileError{},
		"ChildEnd": status.ChildEnd{}, "Orphan": child.Orphan{},
	} {
		schema, ok := schemas[name].(map[string]any)
		if !ok {
			t.Errorf("%s is not described", name)
			continue
		}
		var fields []string
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			if field, _, _ := strings.Cut(f.Tag.Get("json"), ","); field != "-" {
				fields = append(fields, field)
			}
		}
		slices.Sort(fields)
		got := slices.Sorted(maps.Keys(schema["properties"].(map[string]any)))
		if diff := cmp.Diff(fields, got); diff != "" {
			t.Errorf("%s: fields of the type against those described:\n%s", name, diff)
		}
		delete(schemas, name)
	}
	delete(schemas, "Child") // the schemas of the status files are
	delete(schemas, "State") // kept equal to the types elsewhere
	if len(schemas) > 0 {
		t.Errorf("described, but no type is known: %v", slices.Collect(maps.Keys(schemas)))
	}
}

// operations are "GET /v1/health", with the statuses that are described, but for
// default.
func operations(t *testing.T) map[string][]string {
	all := map[string][]string{}
	for path, item := range parsed(t)["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			if method == "parameters" {
				continue
			}
			var codes []string
			for code := range op.(map[string]any)["responses"].(map[string]any) {
				if code != "default" {
					codes = append(codes, code)
				}
			}
			slices.Sort(codes)
			all[strings.ToUpper(method)+" "+path] = codes
		}
	}
	return all
}

func TestTheDocumentHasTheRoutesOfTheServer(t *testing.T) {
	h := build(t, nil, nil)
	s := &Server{o: h.options}
	var served []string
	for _, r := range s.table() {
		path := strings.Replace(r.path, "{id...}", "{id}", 1)
		switch r.method + " " + path {
		case "POST /v1/children/{id}":
			for _, verb := range verbs {
				served = append(served, "POST "+path+"/"+verb)
			}
			continue
		case "GET /v1/children/{id}":
			served = append(served, "GET "+path+"/logs")
		}
		served = append(served, r.method+" "+path)
	}
	slices.Sort(served)

	described := slices.Sorted(maps.Keys(operations(t)))

	if diff := cmp.Diff(served, described); diff != "" {
		t.Errorf("served against described:\n%s", diff)
	}
}

// example is one request of the conversation that shows every answer.
type example struct {
	op, path, body string
	code           int
}

// conversation has every status of every operation at least once, in an order in
// which they come about.
var conversation = []example{
	{"GET /v1/health", "/v1/health", "", 200},
	{"GET /v1/state", "/v1/state", "", 200},
	{"GET /v1/children", "/v1/children?tag=mail&name=worker", "", 200},
	{"GET /v1/children", "/v1/children?tags=mail", "", 400},
	{"GET /v1/children/{id}", "/v1/children/office%2Fworker", "", 200},
	{"GET /v1/children/{id}", "/v1/children/nobody", "", 404},
	{"PUT /v1/children/{id}", "/v1/children/extra?reason=try&requested_by=bot", "name: extra\ncommand: [x]\n", 200},
	{"PUT /v1/children/{id}", "/v1/children/extra", "name: other\n", 400},
	{"PUT /v1/children/{id}", "/v1/children/web", "name: web\n", 409},
	{"PUT /v1/children/{id}", "/v1/children/extra", strings.Repeat("#", control.MaxBody+1), 413},
	{"POST /v1/children/{id}/signal", "/v1/children/extra/signal", `{"signal": "HUP"}`, 200},
	{"DELETE /v1/children/{id}", "/v1/children/extra", "", 200},
	{"DELETE /v1/children/{id}", "/v1/children/nobody", `{"reason": "gone?"}`, 404},
	{"DELETE /v1/children/{id}", "/v1/children/web", "", 409},
	{"POST /v1/children/{id}/restart", "/v1/children/web/restart", `{"reason": "try", "requested_by": "bot"}`, 200},
	{"POST /v1/children/{id}/restart", "/v1/children/web/restart", `{"signal": "HUP"}`, 400},
	{"POST /v1/children/{id}/restart", "/v1/children/nobody/restart", "", 404},
	{"POST /v1/children/{id}/pause", "/v1/children/web/pause", "", 200},
	{"POST /v1/children/{id}/pause", "/v1/children/web/pause", `{"reason": " "}`, 400},
	{"POST /v1/children/{id}/pause", "/v1/children/nobody/pause", "", 404},
	{"POST /v1/children/{id}/signal", "/v1/children/web/signal", `{"signal": "SIGFOO"}`, 400},
	{"POST /v1/children/{id}/signal", "/v1/children/nobody/signal", `{"signal": "HUP"}`, 404},
	{"POST /v1/children/{id}/signal", "/v1/children/web/signal", `{"signal": "HUP"}`, 409},
	{"POST /v1/children/{id}/resume", "/v1/children/web/resume", "", 200},
	{"POST /v1/children/{id}/resume", "/v1/children/web/resume", "}", 400},
	{"POST /v1/children/{id}/resume", "/v1/children/nobody/resume", "", 404},
	{"POST /v1/children/{id}/quarantine", "/v1/children/office%2Fworker/quarantine", "", 200},
	{"POST /v1/children/{id}/quarantine", "/v1/children/web/quarantine", `{"reason": 7}`, 400},
	{"POST /v1/children/{id}/quarantine", "/v1/children/nobody/quarantine", "", 404},
	{"GET /v1/children/{id}/logs", "/v1/children/web/logs?tail=3", "", 200},
	{"GET /v1/children/{id}/logs", "/v1/children/web/logs?tail=x", "", 400},
	{"GET /v1/children/{id}/logs", "/v1/children/nobody/logs", "", 404},
	{"GET /v1/events", "/v1/events?tail=3&child=web", "", 200},
	{"GET /v1/events", "/v1/events?since=yesterday", "", 400},
	{"GET /v1/events", "/v1/events?since=1000000", "", 410},
	{"GET /v1/plan", "/v1/plan", "", 200},
	{"POST /v1/reconcile", "/v1/reconcile", `{"confirm_removals": true}`, 200},
	{"POST /v1/reconcile", "/v1/reconcile", `[]`, 400},
	{"GET /v1/openapi.yaml", "/v1/openapi.yaml", "", 200},
	{"GET /v1/schema/status.json", "/v1/schema/status.json", "", 200},
	{"GET /v1/schema/runtime.json", "/v1/schema/runtime.json", "", 200},
	{"GET /metrics", "/metrics", "", 200},
	{"POST /v1/shutdown", "/v1/shutdown", `{"reason": ""}`, 400},
	{"POST /v1/shutdown", "/v1/shutdown", `{"reason": "the end"}`, 200},
	{"GET /v1/health", "/v1/health", "", 503},
	{"GET /v1/state", "/v1/state", "", 200},
	{"GET /v1/children/{id}", "/v1/children/web", "", 200},
}

// schemas is a folder with the schemas that the document refers to, as of now.
func schemas(t *testing.T) string {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "schema"), 0o700))
	for name, schema := range map[string]func() ([]byte, error){"status.json": status.Schema, "runtime.json": status.RuntimeSchema} {
		text, err := schema()
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, "schema", name), text, 0o600))
	}
	return dir
}

func TestEveryAnswerIsAsTheDocumentSays(t *testing.T) {
	doc, err := libopenapi.NewDocumentWithConfiguration(control.OpenAPI, &datamodel.DocumentConfiguration{BasePath: schemas(t), AllowFileReferences: true})
	must(t, err)
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		t.Fatalf("the document cannot be used: %v", errs)
	}
	defer v.Release()
	if ok, errs := v.ValidateDocument(); !ok {
		t.Fatalf("this is no OpenAPI 3.1: %v", errs)
	}
	h := open(t, office)
	h.write("logs/web/current", "hello\n")
	until(t, func() string {
		c, err := h.Child(t.Context(), "web")
		must(t, err)
		return unless(c.Ready(), "web is not ready")
	})
	seen := map[string][]string{}
	for _, e := range conversation {
		if e.op == "POST /v1/children/{id}/signal" {
			h.settled(t, e.path)
		}
		method, _, _ := strings.Cut(e.op, " ")
		got := h.ask(method, e.path, e.body)

		if got.code != e.code {
			t.Errorf("%s %s %.60s = %d %s, want %d", method, e.path, e.body, got.code, got.body, e.code)
		}
		req, err := http.NewRequest(method, "http://reconciler"+e.path, strings.NewReader(e.body))
		must(t, err)
		resp := &http.Response{StatusCode: got.code, Header: got.header, Body: io.NopCloser(strings.NewReader(got.body)), Request: req}
		if ok, errs := v.ValidateHttpResponse(req, resp); !ok {
			t.Errorf("%s %s: the answer is not as described:\n%s\n%.600s", method, e.path, reasons(errs), got.body)
		}
		if code := fmt.Sprint(got.code); !slices.Contains(seen[e.op], code) {
			seen[e.op] = append(seen[e.op], code)
			slices.Sort(seen[e.op])
		}
	}
	if diff := cmp.Diff(operations(t), seen); diff != "" {
		t.Errorf("statuses described against those seen:\n%s", diff)
	}
}

// settled waits until the child of a path has a process, or will have none.
func (h *house) settled(t *testing.T, path string) {
	t.Helper()
	id := strings.TrimSuffix(strings.TrimPrefix(path, "/v1/children/"), "/signal")
	until(t, func() string {
		for _, c := range h.handle.Children() {
			if string(c.ID) == id {
				return unless(c.Phase == "Running" || c.Phase == "Stopped", id+" is "+string(c.Phase))
			}
		}
		return ""
	})
}

func reasons[E error](errs []E) string {
	var b strings.Builder
	for _, e := range errs {
		b.WriteString(e.Error() + "\n")
	}
	return b.String()
}
