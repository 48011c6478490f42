// fetch URL IDS OUT: asks URL?id=… for each id, 256 at once, and writes one CSV row for each, in the order of the ids.
package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"
)

const atOnce = 256

type reply struct {
	Main struct {
		Temp     float64 `json:"temp"`
		Humidity int64   `json:"humidity"`
	} `json:"main"`
	Weather []struct {
		Description string `json:"description"`
	} `json:"weather"`
	Dt int64 `json:"dt"`
}

func ask(client *http.Client, address, id string) ([]string, error) {
	response, err := client.Get(address + "?id=" + url.QueryEscape(id))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: status %d", id, response.StatusCode)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var r reply
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, err
	}
	if len(r.Weather) == 0 {
		return nil, fmt.Errorf("%s: no weather", id)
	}
	temperature := r.Main.Temp*9/5 + 32
	if temperature < -130 || temperature > 140 || r.Main.Humidity < 0 || r.Main.Humidity > 100 {
		return nil, fmt.Errorf("%s: out of range", id)
	}
	return []string{
		strconv.FormatFloat(temperature, 'g', -1, 64),
		strconv.FormatInt(r.Main.Humidity, 10),
		r.Weather[0].Description,
		time.Unix(r.Dt, 0).UTC().Format(time.RFC3339),
	}, nil
}

func readIDs(path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, record := range records[1:] {
		ids = append(ids, record[0])
	}
	return ids, nil
}

func writeRows(path string, rows [][]string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := csv.NewWriter(file)
	if err := w.Write([]string{"temperature", "humidity", "description", "observed_at"}); err != nil {
		return err
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	return file.Close()
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: fetch URL IDS OUT")
	}
	ids, err := readIDs(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns = atOnce
	transport.MaxIdleConnsPerHost = atOnce
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}

	rows := make([][]string, len(ids))
	next := make(chan int)
	var workers sync.WaitGroup
	for i := 0; i < atOnce; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for n := range next {
				row, err := ask(client, os.Args[1], ids[n])
				if err != nil {
					log.Fatal(err)
				}
				rows[n] = row
			}
		}()
	}
	for n := range ids {
		next <- n
	}
	close(next)
	workers.Wait()
	if err := writeRows(os.Args[3], rows); err != nil {
		log.Fatal(err)
	}
}
