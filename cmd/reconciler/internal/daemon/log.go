package daemon

import (
	"github.com/go-logr/logr"
	"github.com/go-logr/zapr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"

	"github.com/reconciler-dev/reconciler/cmd/reconciler/internal/cli"
	"github.com/reconciler-dev/reconciler/internal/harmless"
)

// newLog is the reconciler's own log on standard error: for people on a
// terminal, one JSON object a line elsewhere. Names of files and words of children
// are made harmless in both.
func newLog(c cli.RunConfig) logr.Logger {
	format := c.LogFormat
	if format == cli.LogAuto {
		format = cli.LogJSON
		if f := harmless.File(c.Stderr); f != nil && term.IsTerminal(int(f.Fd())) {
			format = cli.LogText
		}
	}
	conf := zap.NewProductionEncoderConfig()
	conf.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	conf.TimeKey, conf.MessageKey, conf.NameKey, conf.StacktraceKey = "time", "message", "part", ""
	encoder := zapcore.NewJSONEncoder(conf)
	if format == cli.LogText {
		conf.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		conf.EncodeLevel = zapcore.CapitalLevelEncoder
		conf.CallerKey = ""
		encoder = zapcore.NewConsoleEncoder(conf)
	}
	level := zapcore.Level(-c.Verbosity) // logr's V(1) is zap's level -1
	core := zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(harmless.NewWriter(c.Stderr))), level)
	return zapr.NewLogger(zap.New(core))
}
