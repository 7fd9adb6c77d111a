// A program that knows nothing of Windlass: it reads files, and writes files.
//
//	longest-word /var/inputs /var/outputs
//
// reads the text and the list of words to leave out, and writes the longest word, its length, and all words by length.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

func main() {
	inputs, outputs := os.Args[1], os.Args[2]
	text := read(inputs, "text")
	ignored := map[string]bool{}
	folder, err := os.ReadDir(filepath.Join(inputs, "ignored"))
	check(err)
	for _, entry := range folder {
		ignored[read(inputs, "ignored", entry.Name())] = true
	}
	longest, lengths := "", map[string]int{}
	for _, word := range strings.Fields(text) {
		word = strings.Trim(word, ".,;:!?")
		if ignored[word] {
			continue
		}
		lengths[word] = utf8.RuneCountInString(word)
		if lengths[word] > lengths[longest] {
			longest = word
		}
	}
	if longest == "" {
		write(outputs, "error", "there is no word in the text")
		os.Exit(1)
	}
	all, err := json.Marshal(lengths)
	check(err)
	write(outputs, "word", longest)
	write(outputs, "length", fmt.Sprint(lengths[longest]))
	write(outputs, "lengths", string(all))
}

func read(parts ...string) string {
	content, err := os.ReadFile(filepath.Join(parts...))
	check(err)
	return string(content)
}

func write(folder, name, content string) {
	check(os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
