// Package crontab says when a schedule of crontab(5) is due.
//
// The five fields, their names and their lists are read by a library, and the rules
// are those of Debian's cron: where neither the day of the month nor the day of the
// week begins with *, a day that fits one of both counts, else it must fit both; 7 is
// Sunday. Ranges may go over the end of the week or of the hour (fri-mon), as systemd
// takes them. In place of the fields stand @hourly, @daily, @midnight, @weekly,
// @monthly, @yearly, @annually and @every 1h30m.
//
// When the clocks change (cron(8), "Notes"): a schedule that names its minutes and
// hours is due once. What falls into the hour that is left out is due at its end; of
// the two times in the hour that comes twice, the first counts. A schedule with * in
// the minute or the hour follows the clock on the wall: it is due through both hours
// of the two, and not in the one that is left out. A jump of three hours or more (a
// country that changes its side of the date line) is no summer time: what falls into
// it is not due.
package crontab
