// fires SECONDS EACH ZONE EXPRESSION…: the next instants of cron expressions from 2026 on, as next_fires.c walks them, by
// robfig/cron. Prints the sum of the instants of one walk, how many there were in all, and the seconds they took.
package main

import (
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/robfig/cron/v3"
)

func main() {
	if len(os.Args) < 5 {
		log.Fatal("usage: fires SECONDS EACH ZONE EXPRESSION…")
	}
	seconds, _ := strconv.ParseFloat(os.Args[1], 64)
	each, _ := strconv.Atoi(os.Args[2])
	zone, err := time.LoadLocation(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	var schedules []cron.Schedule
	for _, expression := range os.Args[4:] {
		schedule, err := cron.ParseStandard(expression)
		if err != nil {
			log.Fatal(err)
		}
		schedules = append(schedules, schedule)
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).In(zone)
	var sum int64
	done, begin := 0, time.Now()
	for done == 0 || time.Since(begin).Seconds() < seconds {
		sum = 0
		for _, schedule := range schedules {
			at := start
			for n := 0; n < each; n++ {
				at = schedule.Next(at)
				sum += at.Unix()
			}
			done += each
		}
	}
	fmt.Printf("%d %d %.9f\n", sum, done, time.Since(begin).Seconds())
}
