"""What a run writes: append-only journals, read and shipped later.

A journal is `<folder>/<run id>.<writer>.jsonl`. Each line is one JSON object that ends in its own checksum::

    {"v":1,"k":"metric","n":"loss","x":0.31,"s":1,"t":1700000000123456,"c":123456789}

`v` is the version of the form, `k` the kind, `t` the time in microseconds since 1970 UTC, and `c` the CRC-32 of the
bytes of the line before `,"c":`. Floats that are not finite are the texts `nan`, `inf` and `-inf`.

| kind | fields beside `v`, `k`, `t`, `c` |
|---|---|
| `begin` | `r` run id, `w` writer, `p` process id, `h` host; the first line |
| `metric` | `n` name, `x` value, `s` step |
| `param`, `tag` | `n` name, `x` text (null: the tag is removed) |
| `row` | `n` table, `x` object |
| `file`, `input`, `context` | `x` object |
| `status` | `x` state, `e` error or null, `code` exit code or null |
| `note` | `x` text |
| `end` | the last line: its writer was closed |
"""
