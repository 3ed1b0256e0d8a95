# JSON: the encoder and the decoder of the library, with and without their parts in C.
import json
from json import decoder, encoder, scanner
people = [{'id': i, 'name': f'n{i * 7919 % 1009} "\u00e9"', 'share': i / 7, 'tags': ['a', None, str(i)], 'at': {'x': i, 'y': -i}}
          for i in range(1500)]
for _ in range(3):
    people = json.loads(json.dumps(people))
    people = json.loads(json.dumps(people, indent=1, sort_keys=True))
print(len(json.dumps(people)), sum(person['share'] for person in people))
encoder.c_make_encoder = None
encoder.encode_basestring_ascii = encoder.py_encode_basestring_ascii
plain = decoder.JSONDecoder()
plain.parse_string = decoder.py_scanstring
plain.scan_once = scanner.py_make_scanner(plain)
again = plain.decode(json.JSONEncoder().encode(people[:400]))
print(again == people[:400])
