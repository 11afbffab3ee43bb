// Package logs keeps what children print.
package logs
