// Package wire is a codec for AMQP 1.0 as a server needs it: frames,
// performatives, values and messages, both ways. It knows bytes only: which
// frame may follow which, windows and credit are the matter of the broker.
//
// The sections cited are those of the OASIS standard AMQP version 1.0 of
// 29 October 2012: part 1 types, part 2 transport, part 3 messaging, part 4
// transactions, part 5 security.
//
// # Protocol header (part 2, section 2.2)
//
//	byte  0     1     2     3     4       5      6      7
//	     'A'   'M'   'Q'   'P'   id      1      0      0
//	                             0 AMQP, 2 TLS, 3 SASL
//
// # Frame (part 2, section 2.3)
//
//	byte  0..3   size     of the whole frame, these four bytes included
//	      4      doff     where the body starts, in words of four bytes; at least 2
//	      5      type     0 AMQP, 1 SASL
//	      6..7   channel  of an AMQP frame; ignored in a SASL frame
//	      8..    extended header up to byte 4*doff; ignored
//	      4*doff performative: a described list, see below
//	      then   payload up to size; only a transfer has one
//
// A frame that ends at 4*doff has no body and keeps the connection alive. All
// numbers are big-endian.
//
// # Value (part 1, section 1.2)
//
//	constructor                    data
//	format code                    as the category of the code says
//	0x00 descriptor format code    the same; descriptor is a value itself
//
// The high nibble of a format code is its category:
//
//	0x4_  no data                       null 40  true 41  false 42  uint0 43  ulong0 44  list0 45
//	0x5_  1 byte                        ubyte 50  byte 51  smalluint 52  smallulong 53  smallint 54
//	                                    smalllong 55  boolean 56
//	0x6_  2 bytes                       ushort 60  short 61
//	0x7_  4 bytes                       uint 70  int 71  float 72  char 73  decimal32 74
//	0x8_  8 bytes                       ulong 80  long 81  double 82  timestamp 83  decimal64 84
//	0x9_  16 bytes                      decimal128 94  uuid 98
//	0xA_  size8, size bytes             binary a0  string a1  symbol a3
//	0xB_  size32, size bytes            binary b0  string b1  symbol b3
//	0xC_  size8, count8, values         list c0  map c1
//	0xD_  size32, count32, values       list d0  map d1
//	0xE_  size8, count8, constructor, data of each element     array e0
//	0xF_  size32, count32, constructor, data of each element   array f0
//
// The size of the last four counts the bytes of the count too. A composite (a
// performative, a delivery state, a source and so on) is a described list of
// its fields in order; fields at the end that are null may be left out (part 1,
// section 1.4).
//
// # Message (part 3, section 3.2)
//
// A message is a row of described values, the sections, in this order, each of
// them optional:
//
//	70 header  71 delivery-annotations  72 message-annotations  73 properties
//	74 application-properties  75 data (many) or 76 amqp-sequence (many) or 77 amqp-value
//	78 footer
//
// Split finds them without decoding them, so that a broker hands on what it was
// given to the byte.
//
// # What is strict and what is lenient
//
// Decoding takes every encoding that the specification has for a type, symbolic
// descriptors, and a lone value where a field is of multiplicity many. It
// refuses values that do not end where their size says, counts that the bytes
// left cannot hold, nesting of more than 32 levels, more than 100,000 elements
// in a value (5,000 in a frame; a body that is handed on without being built may
// have any number), text that is not UTF-8, composites with more fields than their
// type has, and mandatory fields that are missing. It makes no room ahead of the
// bytes that ask for it, and never panics. Encoding takes the smallest encoding of
// a value; arrays of compound values are the exception, and a field of multiplicity
// many is always written as an array.
package wire
