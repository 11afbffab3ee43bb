// Package regulartest lets tests see whether a file was opened at all, which is what
// package regular avoids with files that are not regular.
package regulartest
