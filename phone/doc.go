// Package phone turns what people write in a cell into the form of a number
// that Microsoft Graph takes, or says why it will not.
//
//	raw text ─> clean ─> several? masked? scientific? ─> read ─> judge ─> "+31 612345678"
//
// Cleaning undoes what spreadsheets and web pages do to a number without
// changing it: non-breaking spaces, marks of text direction, digits of other
// scripts, a leading apostrophe, ="…", the ".0" of a floating-point cell, tel:
// URIs. What has lost digits, or may be read in two ways, is refused; nothing
// is guessed.
//
// Reading is libphonenumber's (github.com/nyaruka/phonenumbers), whose view of
// a number the [Policy] narrows: by strictness, by the kind of line that each
// [Use] needs, and by the kinds that never belong to one person, such as
// premium-rate numbers.
//
// A refusal is a [*Refusal] with one of the codes that [Reasons] lists. It
// holds nothing of the text that it refuses, so that it may be logged.
//
// Numbers follow Microsoft's "phoneAuthenticationMethod resource type" page:
// +{country code} {number}x{extension}, with exactly one space, after the
// country code, and the extension optional.
package phone
