// Package blueprint reads and writes blueprints, the files that describe flows and all
// that belongs to them, and makes the stored objects agree with them.
//
//	File -> Load -> Document -> Importer.Apply -> Report
//	        YAML 1.1, tags,     one transaction:
//	        positions           resolve, find, create or change
//
// The format is version 1 of authentik's blueprints, so published files and
// flow exports import unchanged. A document is read into values that still
// hold their tags and know their line and column; a tag is resolved when its
// entry is applied, because it may speak of objects that earlier entries made.
//
// An Exporter goes the other way: it writes a stored flow, with all that belongs
// to it, as a blueprint that Apply makes the same flow of.
//
// The package owns the format and the order of work. What an entry's model
// means, which data it takes and how it is stored, is package resource.
package blueprint
