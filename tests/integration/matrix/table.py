"""The matrix: what becomes of each kind of PV in each schema. A line is a PV, a cell is one stream of it.

PV          `CA-long-0-f144` is the test of the cell of `long-0` over CA in f144, `CA:long-0` its name for EPICS
served      by an EPICS IOC: `DOUBLE[9]` is a waveform of up to 9 (of 1: a scalar); else the type of a record, with
            `FIELD=value`, or asked for with `.FIELD$`.
            by p4p: `p4p:` is a whole NTScalar of the type with that code (`a`: an array) or an NTEnum; `unset:` is one
            whose time was never set; `bare:` is a structure with nothing but a value, `alarm:` and `time:` have one
            thing more; `table:` is an NTTable (type or label of its second column), `image:` an NTNDArray (codec);
            `union:` is an NTUnion, `group:` has a structure for a value
holds       its elements; a text among numbers stands for its characters; `.` is none
also        its units, where it has any; its alarm as STATUS/SEVERITY, where it has one; `1990`: it has never been
            processed; `receipt`: its time is that of the receipt, for it has none

What a cell says that a reader of the messages gets:

f8 1.5      one message with this number. Types are named as numpy does: f8 is f142's Double and se00's DoubleArray;
            `s` is a text
i2[-1 2]    one message with an array
t[-1 2]     one message with times, so many nanoseconds after the update's own
u2[1]@[5]   one message with samples and the time of each
u2 1x2[..]  one message with an image; the dimension that varies slowest comes first
-           no message but a refusal, which names PV, schema and type
- NaN       the same for this value, and not for its type: the refusal names PV and schema and has these words in it
.           nothing, without a refusal

`min` and `max` are those of the type, `big` is 2**53 + 1, which no double holds, and `X` is 'x'.
"""

SCHEMAS = (
    "f142",
    "text_f142",
    "f144",
    "tdct",
    "se00",
    "senv",
    "nttable_se00",
    "nttable_senv",
    "ad00",
    "no_op",
)
"""The columns between `holds` and `also`, in order."""

TABLE = r"""
CA: numbers
#                                      text_                                                nttable_          no_
# PV      served     holds  f142       f142   f144       tdct        se00        senv       se00  senv  ad00  op   also
short     SHORT[1]   min    i2 min     -      i2 min     t[-2**15]   i2[min]     i2[min]    -     -     -     .    mm
short-0   SHORT[9]   .      i2[]       -      i2[]       .           i2[]        i2[]       -     -     -     .    mm
short-1   SHORT[9]   max    i2[max]    -      i2[max]    t[2**15-1]  i2[max]     i2[max]    -     -     -     .    mm
short-2   SHORT[9]   -1 2   i2[-1 2]   -      i2[-1 2]   t[-1 2]     i2[-1 2]    i2[-1 2]   -     -     -     .    mm
long      longin     min    i4 min     -      i4 min     t[-2**31]   i4[min]     i4[min]    -     -     -     .    mm
long-0    LONG[9]    .      i4[]       -      i4[]       .           i4[]        i4[]       -     -     -     .    mm
long-1    LONG[9]    max    i4[max]    -      i4[max]    t[2**31-1]  i4[max]     i4[max]    -     -     -     .    mm
long-2    LONG[9]    -1 2   i4[-1 2]   -      i4[-1 2]   t[-1 2]     i4[-1 2]    i4[-1 2]   -     -     -     .    mm
float     FLOAT[1]   -1.5   f4 -1.5    -      f4 -1.5    t[-2]       f4[-1.5]    -          -     -     -     .    mm
float-0   FLOAT[9]   .      f4[]       -      f4[]       .           f4[]        -          -     -     -     .    mm
float-1   FLOAT[9]   0.5    f4[0.5]    -      f4[0.5]    t[0]        f4[0.5]     -          -     -     -     .    mm
float-2   FLOAT[9]   -1 2   f4[-1 2]   -      f4[-1 2]   t[-1 2]     f4[-1 2]    -          -     -     -     .    mm
double    ai         -1.5   f8 -1.5    -      f8 -1.5    t[-2]       f8[-1.5]    -          -     -     -     .    mm
double-n  DOUBLE[1]  .      f8 0       -      f8 0       t[0]        f8[0]       -          -     -     -     .    mm
double-0  DOUBLE[9]  .      f8[]       -      f8[]       .           f8[]        -          -     -     -     .    mm
double-1  DOUBLE[9]  0.5    f8[0.5]    -      f8[0.5]    t[0]        f8[0.5]     -          -     -     -     .    mm
double-2  DOUBLE[9]  -1 2   f8[-1 2]   -      f8[-1 2]   t[-1 2]     f8[-1 2]    -          -     -     -     .    mm
char      CHAR[1]    255    u1 max     -      u1 max     t[255]      u1[max]     u1[max]    -     -     -     .    mm
char-0    CHAR[9]    .      u1[]       s ''   u1[]       .           u1[]        u1[]       -     -     -     .    mm
char-1    CHAR[9]    65     u1[65]     s 'A'  u1[65]     t[65]       u1[65]      u1[65]     -     -     -     .    mm
char-2    CHAR[9]    0 255  u1[0 max]  s ''   u1[0 max]  t[0 255]    u1[0 max]   u1[0 max]  -     -     -     .    mm
uchar     UCHAR[1]   max    u1 max     -      u1 max     t[255]      u1[max]     u1[max]    -     -     -     .    mm
uchar-0   UCHAR[9]   .      u1[]       s ''   u1[]       .           u1[]        u1[]       -     -     -     .    mm
uchar-1   UCHAR[9]   65     u1[65]     s 'A'  u1[65]     t[65]       u1[65]      u1[65]     -     -     -     .    mm
uchar-2   UCHAR[9]   0 max  u1[0 max]  s ''   u1[0 max]  t[0 255]    u1[0 max]   u1[0 max]  -     -     -     .    mm
ushort    USHORT[1]  65535  i4 65535   -      i4 65535   t[65535]    i4[65535]   i4[65535]  -     -     -     .    mm
ushort-0  USHORT[9]  .      i4[]       -      i4[]       .           i4[]        i4[]       -     -     -     .    mm
ushort-1  USHORT[9]  65535  i4[65535]  -      i4[65535]  t[65535]    i4[65535]   i4[65535]  -     -     -     .    mm
ushort-2  USHORT[9]  0 1    i4[0 1]    -      i4[0 1]    t[0 1]      i4[0 1]     i4[0 1]    -     -     -     .    mm
ulong     ULONG[1]   2**31  f8 2**31   -      f8 2**31   t[2**31]    f8[2**31]   -          -     -     -     .    mm
ulong-0   ULONG[9]   .      f8[]       -      f8[]       .           f8[]        -          -     -     -     .    mm
ulong-1   ULONG[9]   2**31  f8[2**31]  -      f8[2**31]  t[2**31]    f8[2**31]   -          -     -     -     .    mm
ulong-2   ULONG[9]   0 1    f8[0 1]    -      f8[0 1]    t[0 1]      f8[0 1]     -          -     -     -     .    mm
int64     int64in    -big   f8 -2**53  -      f8 -2**53  t[-2**53]   f8[-2**53]  -          -     -     -     .    mm
int64-0   INT64[9]   .      f8[]       -      f8[]       .           f8[]        -          -     -     -     .    mm
int64-1   INT64[9]   big    f8[2**53]  -      f8[2**53]  t[2**53]    f8[2**53]   -          -     -     -     .    mm
int64-2   INT64[9]   0 1    f8[0 1]    -      f8[0 1]    t[0 1]      f8[0 1]     -          -     -     -     .    mm
uint64    UINT64[1]  big    f8 2**53   -      f8 2**53   t[2**53]    f8[2**53]   -          -     -     -     .    mm
uint64-0  UINT64[9]  .      f8[]       -      f8[]       .           f8[]        -          -     -     -     .    mm
uint64-1  UINT64[9]  big    f8[2**53]  -      f8[2**53]  t[2**53]    f8[2**53]   -          -     -     -     .    mm
uint64-2  UINT64[9]  0 1    f8[0 1]    -      f8[0 1]    t[0 1]      f8[0 1]     -          -     -     -     .    mm
enum      mbbi       2      i4 2       -      i4 2       -           i4[2]       i4[2]      -     -     -     .
enum-0    ENUM[9]    .      i4[]       -      i4[]       -           i4[]        i4[]       -     -     -     .
enum-1    ENUM[9]    65535  i4[65535]  -      i4[65535]  -           i4[65535]   i4[65535]  -     -     -     .
enum-2    ENUM[9]    0 1    i4[0 1]    -      i4[0 1]    -           i4[0 1]     i4[0 1]    -     -     -     .

CA: NaN and infinities
#                                    text_                                     nttable_          no_
# PV    served     holds  f142       f142   f144       tdct   se00       senv  se00  senv  ad00  op   also
nan     ai         nan    f8 nan     -      f8 nan     - NaN  f8[nan]    -     -     -     -     .    UDF/INVALID mm
inf     ai         -inf   f8 -inf    -      f8 -inf    - inf  f8[-inf]   -     -     -     -     .    mm
nan-1   DOUBLE[9]  nan    f8[nan]    -      f8[nan]    - NaN  f8[nan]    -     -     -     -     .    mm
nan-f4  FLOAT[1]   nan    f4 nan     -      f4 nan     - NaN  f4[nan]    -     -     -     -     .    mm
inf-f4  FLOAT[9]   1 inf  f4[1 inf]  -      f4[1 inf]  - inf  f4[1 inf]  -     -     -     -     .    mm

CA: alarms and times
#                                       text_                               nttable_          no_
# PV   served             holds  f142   f142   f144   tdct   se00    senv   se00  senv  ad00  op   also
minor  ai HSV=MINOR       2      f8 2   -      f8 2   t[2]   f8[2]   -      -     -     -     .    HIGH/MINOR mm
major  ai LLSV=MAJOR      -2     f8 -2  -      f8 -2  t[-2]  f8[-2]  -      -     -     -     .    LOLO/MAJOR mm
state  mbbi TWSV=INVALID  2      i4 2   -      i4 2   -      i4[2]   i4[2]  -     -     -     .    STATE/INVALID
fresh  ai PINI=NO         7      f8 7   -      f8 7   t[7]   f8[7]   -      -     -     -     .    1990 UDF/NO_ALARM mm

CA: strings
#                                                   text_                             nttable_          no_
# PV          served     holds         f142         f142      f144  tdct  se00  senv  se00  senv  ad00  op
string        stringin   'on'          s 'on'       s 'on'    -     -     -     -     -     -     -     .
string-0      STRING[9]  .             s[]          -         -     -     -     -     -     -     -     .
string-1      STRING[9]  'on'          s['on']      -         -     -     -     -     -     -     -     .
string-2      STRING[9]  'on' ''       s['on' '']   -         -     -     -     -     -     -     -     .
string-empty  stringin   ''            s ''         s ''      -     -     -     -     -     -     -     .
string-39     stringin   'x'*39        s 'x'*39     s 'x'*39  -     -     -     -     -     -     -     .
string-40     STRING[9]  'x'*40        s['x'*39]    -         -     -     -     -     -     -     -     .
string-utf8   stringin   'µ'           s 'µ'        s 'µ'     -     -     -     -     -     -     -     .
string-latin  stringin   b'\xb0C'      s '°C'       s '°C'    -     -     -     -     -     -     -     .
string-mixed  STRING[9]  'µ' b'\xb0C'  s['µ' '°C']  -         -     -     -     -     -     -     -     .
string-cut    STRING[9]  'x'*38+'µ'    s['x'*38]    -         -     -     -     -     -     -     -     .
string-end    stringin   b'5\xc5'      s '5Å'       s '5Å'    -     -     -     -     -     -     -     .
string-lsi    lsi        'x'*38+'µ'    s 'x'*38     s 'x'*38  -     -     -     -     -     -     -     .

CA: units
#                                         text_                           nttable_          no_
# PV        served           holds  f142  f142   f144  tdct  se00   senv  se00  senv  ad00  op   also
units-utf8  ai EGU=µm        2      f8 2  -      f8 2  t[2]  f8[2]  -     -     -     -     .    µm
units-cut   ai EGU=sixsixµm  2      f8 2  -      f8 2  t[2]  f8[2]  -     -     -     -     .    sixsix

CA: long strings, and arrays of characters
#                                     text_                                                  nttable_          no_
# PV   served     holds   f142        f142    f144        tdct       se00        senv        se00  senv  ad00  op   also
cut    lsi        X*60    s X*39      s X*39  -           -          -           -           -     -     -     .
lsi    lsi .VAL$  X*60    s X*60      s X*60  -           -          -           -           -     -     -     .
desc   ai .DESC$  'µ'     s 'µ'       s 'µ'   -           -          -           -           -     -     -     .
junk   CHAR[9]    65 0 1  u1[65 0 1]  s 'A'   u1[65 0 1]  t[65 0 1]  u1[65 0 1]  u1[65 0 1]  -     -     -     .    mm
full   CHAR[2]    'on'    u1['on']    s 'on'  u1['on']    t['on']    u1['on']    u1['on']    -     -     -     .    mm
utf8   UCHAR[9]   'µ' 0   u1['µ' 0]   s 'µ'   u1['µ' 0]   t['µ' 0]   u1['µ' 0]   u1['µ' 0]   -     -     -     .    mm
latin  CHAR[9]    176 67  u1[176 67]  s '°C'  u1[176 67]  t[176 67]  u1[176 67]  u1[176 67]  -     -     -     .    mm

PVA: numbers
#                                      text_                                                nttable_          no_
# PV      served     holds  f142       f142    f144       tdct        se00       senv       se00  senv  ad00  op   also
int8      CHAR[1]    min    i1 min     -       i1 min     t[-128]     i1[min]    i1[min]    -     -     -     .    mm
int8-0    CHAR[9]    .      i1[]       s ''    i1[]       .           i1[]       i1[]       -     -     -     .    mm
int8-1    CHAR[9]    65     i1[65]     s 'A'   i1[65]     t[65]       i1[65]     i1[65]     -     -     -     .    mm
int8-2    CHAR[9]    65 -1  i1[65 -1]  s 'Aÿ'  i1[65 -1]  t[65 -1]    i1[65 -1]  i1[65 -1]  -     -     -     .    mm
uint8     UCHAR[1]   max    u1 max     -       u1 max     t[255]      u1[max]    u1[max]    -     -     -     .    mm
uint8-0   UCHAR[9]   .      u1[]       s ''    u1[]       .           u1[]       u1[]       -     -     -     .    mm
uint8-1   UCHAR[9]   65     u1[65]     s 'A'   u1[65]     t[65]       u1[65]     u1[65]     -     -     -     .    mm
uint8-2   UCHAR[9]   0 max  u1[0 max]  s ''    u1[0 max]  t[0 255]    u1[0 max]  u1[0 max]  -     -     -     .    mm
int16     SHORT[1]   min    i2 min     -       i2 min     t[-2**15]   i2[min]    i2[min]    -     -     -     .    mm
int16-0   SHORT[9]   .      i2[]       -       i2[]       .           i2[]       i2[]       -     -     -     .    mm
int16-1   SHORT[9]   max    i2[max]    -       i2[max]    t[2**15-1]  i2[max]    i2[max]    -     -     -     .    mm
int16-2   SHORT[9]   -1 2   i2[-1 2]   -       i2[-1 2]   t[-1 2]     i2[-1 2]   i2[-1 2]   -     -     -     .    mm
uint16    USHORT[1]  max    u2 max     -       u2 max     t[2**16-1]  u2[max]    u2[max]    -     -     -     .    mm
uint16-0  USHORT[9]  .      u2[]       -       u2[]       .           u2[]       u2[]       -     -     -     .    mm
uint16-1  USHORT[9]  max    u2[max]    -       u2[max]    t[2**16-1]  u2[max]    u2[max]    -     -     -     .    mm
uint16-2  USHORT[9]  0 1    u2[0 1]    -       u2[0 1]    t[0 1]      u2[0 1]    u2[0 1]    -     -     -     .    mm
int32     longin     min    i4 min     -       i4 min     t[-2**31]   i4[min]    i4[min]    -     -     -     .    mm
int32-0   LONG[9]    .      i4[]       -       i4[]       .           i4[]       i4[]       -     -     -     .    mm
int32-1   LONG[9]    max    i4[max]    -       i4[max]    t[2**31-1]  i4[max]    i4[max]    -     -     -     .    mm
int32-2   LONG[9]    -1 2   i4[-1 2]   -       i4[-1 2]   t[-1 2]     i4[-1 2]   i4[-1 2]   -     -     -     .    mm
uint32    ULONG[1]   max    u4 max     -       u4 max     t[2**32-1]  u4[max]    u4[max]    -     -     -     .    mm
uint32-0  ULONG[9]   .      u4[]       -       u4[]       .           u4[]       u4[]       -     -     -     .    mm
uint32-1  ULONG[9]   max    u4[max]    -       u4[max]    t[2**32-1]  u4[max]    u4[max]    -     -     -     .    mm
uint32-2  ULONG[9]   0 1    u4[0 1]    -       u4[0 1]    t[0 1]      u4[0 1]    u4[0 1]    -     -     -     .    mm
int64     int64in    -big   i8 -big    -       i8 -big    t[-big]     i8[-big]   i8[-big]   -     -     -     .    mm
int64-0   INT64[9]   .      i8[]       -       i8[]       .           i8[]       i8[]       -     -     -     .    mm
int64-1   INT64[9]   big    i8[big]    -       i8[big]    t[big]      i8[big]    i8[big]    -     -     -     .    mm
int64-2   INT64[9]   -1 2   i8[-1 2]   -       i8[-1 2]   t[-1 2]     i8[-1 2]   i8[-1 2]   -     -     -     .    mm
uint64    UINT64[1]  big    u8 big     -       u8 big     t[big]      u8[big]    u8[big]    -     -     -     .    mm
uint64-0  UINT64[9]  .      u8[]       -       u8[]       .           u8[]       u8[]       -     -     -     .    mm
uint64-1  UINT64[9]  big    u8[big]    -       u8[big]    t[big]      u8[big]    u8[big]    -     -     -     .    mm
uint64-2  UINT64[9]  0 1    u8[0 1]    -       u8[0 1]    t[0 1]      u8[0 1]    u8[0 1]    -     -     -     .    mm
float     FLOAT[1]   -1.5   f4 -1.5    -       f4 -1.5    t[-2]       f4[-1.5]   -          -     -     -     .    mm
float-0   FLOAT[9]   .      f4[]       -       f4[]       .           f4[]       -          -     -     -     .    mm
float-1   FLOAT[9]   0.5    f4[0.5]    -       f4[0.5]    t[0]        f4[0.5]    -          -     -     -     .    mm
float-2   FLOAT[9]   -1 2   f4[-1 2]   -       f4[-1 2]   t[-1 2]     f4[-1 2]   -          -     -     -     .    mm
double    ai         -1.5   f8 -1.5    -       f8 -1.5    t[-2]       f8[-1.5]   -          -     -     -     .    mm
double-n  DOUBLE[1]  .      f8 0       -       f8 0       t[0]        f8[0]      -          -     -     -     .    mm
double-0  DOUBLE[9]  .      f8[]       -       f8[]       .           f8[]       -          -     -     -     .    mm
double-1  DOUBLE[9]  0.5    f8[0.5]    -       f8[0.5]    t[0]        f8[0.5]    -          -     -     -     .    mm
double-2  DOUBLE[9]  -1 2   f8[-1 2]   -       f8[-1 2]   t[-1 2]     f8[-1 2]   -          -     -     -     .    mm
bool      p4p:?      1      u1 1       -       u1 1       -           u1[1]      u1[1]      -     -     -     .    mm
bool-0    p4p:a?     .      u1[]       -       u1[]       -           u1[]       u1[]       -     -     -     .    mm
bool-1    p4p:a?     1      u1[1]      -       u1[1]      -           u1[1]      u1[1]      -     -     -     .    mm
bool-2    p4p:a?     0 1    u1[0 1]    -       u1[0 1]    -           u1[0 1]    u1[0 1]    -     -     -     .    mm
i64-min   p4p:l      min    i8 min     -       i8 min     - tdct      i8[min]    i8[min]    -     -     -     .    mm
u64-max   p4p:L      max    u8 max     -       u8 max     - tdct      u8[max]    u8[max]    -     -     -     .    mm

PVA: NaN and infinities
#                                    text_                                     nttable_          no_
# PV    served     holds  f142       f142   f144       tdct   se00       senv  se00  senv  ad00  op   also
nan     ai         nan    f8 nan     -      f8 nan     - NaN  f8[nan]    -     -     -     -     .    UDF/INVALID mm
inf     ai         -inf   f8 -inf    -      f8 -inf    - inf  f8[-inf]   -     -     -     -     .    mm
nan-1   DOUBLE[9]  nan    f8[nan]    -      f8[nan]    - NaN  f8[nan]    -     -     -     -     .    mm
nan-f4  FLOAT[1]   nan    f4 nan     -      f4 nan     - NaN  f4[nan]    -     -     -     -     .    mm
inf-f4  FLOAT[9]   1 inf  f4[1 inf]  -      f4[1 inf]  - inf  f4[1 inf]  -     -     -     -     .    mm

PVA: enums
#                                text_                            nttable_          no_
# PV      served    holds  f142  f142   f144  tdct  se00   senv   se00  senv  ad00  op
enum      mbbi      2      i4 2  -      i4 2  -     i4[2]  i4[2]  -     -     -     .
enum-p4p  p4p:enum  1      i4 1  -      i4 1  -     i4[1]  i4[1]  -     -     -     .

PVA: alarms and times
#                                       text_                               nttable_          no_
# PV   served             holds  f142   f142   f144   tdct   se00    senv   se00  senv  ad00  op   also
minor  ai HSV=MINOR       2      f8 2   -      f8 2   t[2]   f8[2]   -      -     -     -     .    HIGH/MINOR mm
major  ai LLSV=MAJOR      -2     f8 -2  -      f8 -2  t[-2]  f8[-2]  -      -     -     -     .    LOLO/MAJOR mm
state  mbbi TWSV=INVALID  2      i4 2   -      i4 2   -      i4[2]   i4[2]  -     -     -     .    STATE/INVALID
fresh  ai PINI=NO         7      f8 7   -      f8 7   t[7]   f8[7]   -      -     -     -     .    1990 UDF/NO_ALARM mm

PVA: structures with parts missing
#                                  text_                                      nttable_          no_
# PV      served   holds  f142     f142    f144     tdct    se00     senv     se00  senv  ad00  op   also
bare      bare:d   1.5    f8 1.5   -       f8 1.5   t[2]    f8[1.5]  -        -     -     -     .    receipt
bare-2    bare:ah  1 2    i2[1 2]  -       i2[1 2]  t[1 2]  i2[1 2]  i2[1 2]  -     -     -     .    receipt
bare-s    bare:s   'on'   s 'on'   s 'on'  -        -       -        -        -     -     -     .    receipt
no-alarm  time:d   1.5    f8 1.5   -       f8 1.5   t[2]    f8[1.5]  -        -     -     -     .
no-time   alarm:d  1.5    f8 1.5   -       f8 1.5   t[2]    f8[1.5]  -        -     -     -     .    receipt HIGH/MINOR
unset     unset:d  1.5    f8 1.5   -       f8 1.5   t[2]    f8[1.5]  -        -     -     -     .    receipt mm

PVA: strings
#                                                   text_                             nttable_          no_
# PV          served     holds         f142         f142      f144  tdct  se00  senv  se00  senv  ad00  op
string        stringin   'on'          s 'on'       s 'on'    -     -     -     -     -     -     -     .
string-0      STRING[9]  .             s[]          -         -     -     -     -     -     -     -     .
string-1      STRING[9]  'on'          s['on']      -         -     -     -     -     -     -     -     .
string-2      STRING[9]  'on' ''       s['on' '']   -         -     -     -     -     -     -     -     .
string-empty  stringin   ''            s ''         s ''      -     -     -     -     -     -     -     .
string-39     stringin   'x'*39        s 'x'*39     s 'x'*39  -     -     -     -     -     -     -     .
string-40     STRING[9]  'x'*40        s['x'*39]    -         -     -     -     -     -     -     -     .
string-utf8   stringin   'µ'           s 'µ'        s 'µ'     -     -     -     -     -     -     -     .
string-latin  stringin   b'\xb0C'      s '°C'       s '°C'    -     -     -     -     -     -     -     .
string-p4p    p4p:s      'x'*60        s 'x'*60     s 'x'*60  -     -     -     -     -     -     -     .
latin-p4p     p4p:s      b'\xb0C'      s '°C'       s '°C'    -     -     -     -     -     -     -     .
string-end    stringin   b'5\xc5'      s '5Å'       s '5Å'    -     -     -     -     -     -     -     .
string-mixed  STRING[9]  'µ' b'\xb0C'  s['µ' '°C']  -         -     -     -     -     -     -     -     .
string-cut    STRING[9]  'x'*38+'µ'    s['x'*38]    -         -     -     -     -     -     -     -     .

PVA: units
#                                         text_                           nttable_          no_
# PV        served           holds  f142  f142   f144  tdct  se00   senv  se00  senv  ad00  op   also
units-utf8  ai EGU=µm        2      f8 2  -      f8 2  t[2]  f8[2]  -     -     -     -     .    µm
units-long  ai EGU=sixsixµm  2      f8 2  -      f8 2  t[2]  f8[2]  -     -     -     -     .    sixsixµm

PVA: structures without a value
#                       text_                          nttable_          no_
# PV   served  holds  f142  f142   f144  tdct  se00  senv  se00  senv  ad00  op
union  union:  .      -     -      -     -     -     -     -     -     -     .
group  group:  .      -     -      -     -     -     -     -     -     -     .

PVA: long strings, and arrays of characters
#                                     text_                                                  nttable_          no_
# PV   served     holds   f142        f142    f144        tdct       se00        senv        se00  senv  ad00  op   also
lsi    lsi        X*60    s X*60      s X*60  -           -          -           -           -     -     -     .
desc   ai .DESC$  'µ'     s 'µ'       s 'µ'   -           -          -           -           -     -     -     .
junk   CHAR[9]    65 0 1  i1[65 0 1]  s 'A'   i1[65 0 1]  t[65 0 1]  i1[65 0 1]  i1[65 0 1]  -     -     -     .    mm
full   CHAR[2]    'on'    i1['on']    s 'on'  i1['on']    t['on']    i1['on']    i1['on']    -     -     -     .    mm
utf8   UCHAR[9]   'µ' 0   u1['µ' 0]   s 'µ'   u1['µ' 0]   t['µ' 0]   u1['µ' 0]   u1['µ' 0]   -     -     -     .    mm
latin  CHAR[9]    -80 67  i1[-80 67]  s '°C'  i1[-80 67]  t[-80 67]  i1[-80 67]  i1[-80 67]  -     -     -     .    mm

PVA: tables
#                                              text_                          nttable_                             no_
# PV         served      holds           f142  f142   f144  tdct  se00  senv  se00            senv           ad00  op
table        table:i8    f8[.5 2]@[5 6]  -     -      -     -     -     -     f8[.5 2]@[5 6]  i8[0 2]@[5 6]  -     .
table-ints   table:f8    u2[1 2]@[5 6]   -     -      -     -     -     -     u2[1 2]@[5 6]   u2[1 2]@[5 6]  -     .
table-1      table:u8    i1[-1]@[5]      -     -      -     -     -     -     i1[-1]@[5]      i1[-1]@[5]     -     .
table-0      table:i8    f8[]@[]         -     -      -     -     -     -     .               .              -     .
table-nan    table:i8    f8[nan]@[5]     -     -      -     -     -     -     f8[nan]@[5]     - NaN          -     .
table-late   table:f8    i4[1]@[1e300]   -     -      -     -     -     -     - beyond        - beyond       -     .
table-label  table:when  f8[1]@[5]       -     -      -     -     -     -     - timestamp     - timestamp    -     .
table-texts  table:i8    s['a']@[5]      -     -      -     -     -     -     - strings       - strings      -     .
table-rows   table:i8    i4[1]@[5 6]     -     -      -     -     -     -     - rows          - rows         -     .

PVA: images
#                                                  text_                          nttable_                         no_
# PV         served     holds                f142  f142   f144  tdct  se00  senv  se00  senv  ad00                 op
image        image:     u2 2x3[0 1 2 3 4 5]  -     -      -     -     -     -     -     -     u2 2x3[0 1 2 3 4 5]  .
image-float  image:     f4 3x1[-1 0 0.5]     -     -      -     -     -     -     -     -     f4 3x1[-1 0 0.5]     .
image-line   image:     i1 2[-1 2]           -     -      -     -     -     -     -     -     i1 2[-1 2]           .
image-0      image:     u1 0x0[]             -     -      -     -     -     -     -     -     u1 0x0[]             .
image-lz4    image:lz4  u1 1x2[1 2]          -     -      -     -     -     -     -     -     - compressed by lz4  .
image-part   image:     u1 2x2[1 2 3]        -     -      -     -     -     -     -     -     - pixels             .
"""

REFUSED_AS = {
    "CA": {
        "STRING stringin lsi .VAL$ .DESC$": "string",
        "SHORT": "int16",
        "FLOAT": "float32",
        "ENUM mbbi": "enum",
        "CHAR UCHAR": "uint8",
        "LONG USHORT longin": "int32",
        "DOUBLE ULONG INT64 UINT64 ai int64in": "float64",
    },
    "PVA": {
        "STRING stringin lsi .DESC$ s": "string",
        "mbbi enum": "enum",
        "?": "bool",
        "CHAR": "int8",
        "UCHAR": "uint8",
        "SHORT h": "int16",
        "USHORT": "uint16",
        "LONG longin": "int32",
        "ULONG": "uint32",
        "INT64 int64in l": "int64",
        "UINT64 L": "uint64",
        "FLOAT": "float32",
        "DOUBLE ai d": "float64",
        "table": "table",
        "image": "image",
        "union group": "unknown structure",
    },
}
"""What a refusal calls the type of a PV, or of its elements, by how it is served. CA has seven types only."""
