// Package filter holds the rules of a Service Bus subscription: which messages
// of a topic it wants (Filter), and what is changed in its copy of them
// (Action). It knows no connection and no queue.
//
//	expression ──lexer──> tokens ──parser──> predicate tree ── Matches ──> yes, no, error
//	                                     └─> SET, REMOVE ── Apply ──> changed properties
//
// A rule is parsed once, and may then be used by many goroutines at once. Matching
// allocates nothing unless the expression builds strings.
//
// # Source
//
// Grammar and meaning follow Microsoft's pages "Subscription Rule SQL Filter
// Syntax", "Subscription Rule SQL Action Syntax", "Topic filters and actions" and
// the quotas of Service Bus (1,024 characters for an expression, 32 statements for
// an action). What they leave open is decided like this:
//
//   - A comparison with null is unknown, as in SQL-92, and so is IN when nothing was
//     equal and the list holds a null. A system property that the message does not
//     have is null. IS NULL is true of both null and unknown.
//   - Strings are compared character by character: case matters. Case does not matter
//     in names, keywords and parameters.
//   - Numbers are promoted as in C#. What C# has no operator for (a string against a
//     number, say) fails, and so do division by zero, LIKE on what is no string, and a
//     system property that Service Bus does not have. A filter that fails does not
//     match; the caller decides what becomes of the message.
//   - AND and OR do not look at their right side when the left side decides.
//   - A condition is needed where a condition is asked for: "flag" alone is refused,
//     "flag = TRUE" is not.
//   - EXISTS(sys.X) is true when the message has a value for X.
package filter
