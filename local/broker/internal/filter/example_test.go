package filter_test

import (
	"fmt"

	"github.com/muster-mfa/muster/local/broker/internal/filter"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// A rule selects a message and changes the copy that its subscription gets.
func Example() {
	wanted, err := filter.ParseSQL("user.color = @color AND sys.Label LIKE 'order.%'", map[string]any{"@color": "red"})
	if err != nil {
		fmt.Println(err)
		return
	}
	change, err := filter.ParseAction("SET quantity = quantity / 2; SET sys.CorrelationId = 'low'", nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	m := &filter.Message{
		System: func(name string) (any, bool) { return "order.placed", name == "Label" },
		Application: filter.NewProperties(wire.Map{
			{Key: "color", Value: "red"},
			{Key: "quantity", Value: int32(10)},
		}),
	}
	if ok, err := wanted.Matches(m); !ok || err != nil {
		fmt.Println("not wanted", err)
		return
	}
	changes, err := change.Apply(m)
	fmt.Println(changes.Application, changes.System, err)
	// Output: [{color red} {quantity 5}] map[CorrelationId:low] <nil>
}

func ExampleParseSQL_refused() {
	_, err := filter.ParseSQL("color = 'red' AND upper(size) = 'XL'", nil)
	fmt.Println(err)
	// Output:
	// There was an error parsing the SQL expression.
	// [Token line=1, column=19, Token in error= upper, Additional details= the function 'upper' does not exist; there are newid, property and p]
}
