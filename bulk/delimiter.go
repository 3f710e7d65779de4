package bulk

import "strings"

// delimiters are the candidates in the order in which they win a draw.
const delimiters = ",;\t|"

// separatorLine reads a first line such as "sep=;", which tells Excel the
// delimiter and is no row to it. It returns 0 for any other line.
func separatorLine(line []byte) byte {
	text := strings.Trim(string(line), "\" \r")
	// The delimiter itself may be a tab, so only what stands before it is folded.
	if len(text) == 5 && strings.EqualFold(text[:4], "sep=") && strings.IndexByte(delimiters, text[4]) >= 0 {
		return text[4]
	}
	return 0
}

// sniffDelimiter finds the delimiter of a header: the candidate that is seen
// most outside quotes. A header without any is taken as one column.
func sniffDelimiter(header []byte) byte {
	var counts [len(delimiters)]int
	quoted := false
	for _, c := range header {
		if c == '"' {
			quoted = !quoted
		}
		if i := strings.IndexByte(delimiters, c); i >= 0 && !quoted {
			counts[i]++
		}
		if c == '\n' && !quoted {
			break
		}
	}
	best := 0
	for i, n := range counts {
		if n > counts[best] {
			best = i
		}
	}
	return delimiters[best]
}
