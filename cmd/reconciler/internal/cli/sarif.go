package cli

import (
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/reconciler-dev/reconciler/internal/harmless"
)

// The types of this file are the part of SARIF 2.1.0 (OASIS) that a list of
// problems needs: a run of a tool with its rule and a result for each problem.

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool       sarifTool     `json:"tool"`
	ColumnKind string        `json:"columnKind"`
	Results    []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID               string    `json:"id"`
	ShortDescription sarifText `json:"shortDescription"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	RuleIndex int             `json:"ruleIndex"`
	Level     string          `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations"`
}

type sarifLocation struct {
	Physical sarifPhysical `json:"physicalLocation"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   *sarifRegion  `json:"region,omitempty"` // nil: the whole file
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
}

const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// The one rule that all problems break; what is wrong is in the message.
const (
	sarifRuleID   = "valid-manifest"
	sarifRuleText = "A manifest declares one child with known fields and values in range, and fits the others of its directory."
)

// sarif is a list of problems for code scanning. version is that of this program.
func sarif(all []finding, version string) sarifLog {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{
			Name: "reconciler", Version: version,
			Rules: []sarifRule{{sarifRuleID, sarifText{sarifRuleText}}},
		}},
		ColumnKind: "unicodeCodePoints",
		Results:    []sarifResult{},
	}
	for _, p := range all {
		at := sarifPhysical{Artifact: sarifArtifact{fileURI(p.File)}}
		if p.Line > 0 {
			at.Region = &sarifRegion{p.Line, p.Column}
		}
		run.Results = append(run.Results, sarifResult{
			RuleID: sarifRuleID, Level: p.level(), Message: sarifText{harmless.Text(problemText(p.Problem))},
			Locations: []sarifLocation{{at}},
		})
	}
	return sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}}
}

// fileURI is a file below the working directory as a relative reference, another
// one as a file URI.
func fileURI(file string) string {
	u := url.URL{Path: filepath.ToSlash(fromHere(file))}
	if strings.HasPrefix(u.Path, "/") {
		u.Scheme = "file"
	}
	return u.String()
}

func printSARIF(all []finding, version string, out io.Writer) error {
	return writeJSON(out, sarif(all, version))
}
