"""Prints a C++ program of some 1,000 lines, for compilers to work on: records of some kinds, read by regular expressions from
lines of text, kept in maps, summed up, printed. `records.py >records.cpp`."""

KINDS = {
    "Invoice": [("number", "int"), ("customer", "std::string"), ("amount", "double")],
    "Sensor": [("station", "std::string"), ("channel", "int"), ("level", "double"), ("drift", "double")],
    "Voyage": [("ship", "std::string"), ("harbour", "std::string"), ("days", "int")],
    "Packet": [("source", "int"), ("target", "int"), ("protocol", "std::string"), ("bytes", "int")],
    "Star": [("name", "std::string"), ("magnitude", "double"), ("distance", "double")],
    "Recipe": [("dish", "std::string"), ("servings", "int"), ("minutes", "int"), ("spice", "std::string")],
    "Parcel": [("street", "std::string"), ("weight", "double"), ("floor", "int")],
    "Lecture": [("topic", "std::string"), ("room", "int"), ("seats", "int"), ("rating", "double")],
    "Train": [("route", "std::string"), ("delay", "int"), ("cars", "int")],
    "Sample": [("site", "std::string"), ("acidity", "double"), ("salinity", "double"), ("depth", "int")],
    "Token": [("file", "std::string"), ("row", "int"), ("column", "int"), ("word", "std::string")],
}
PATTERN = {"int": r"(-?\\d+)", "double": r"(-?\\d+(?:\\.\\d+)?)", "std::string": r"([A-Za-z][\\w-]*)"}
READ = {"int": "std::stoi({})", "double": "std::stod({})", "std::string": "{}.str()"}

HEAD = """// Written by records.py.
#include <algorithm>
#include <cmath>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

namespace {

class Generator {
public:
    explicit Generator(unsigned seed) : state(seed) {}
    unsigned next() {
        state = state * 1664525u + 1013904223u;
        return state >> 8;
    }
    int whole(int limit) { return static_cast<int>(next() % static_cast<unsigned>(limit)); }
    double real(double limit) { return whole(100000) / 100000.0 * limit; }
    std::string word() {
        static const char *const parts[] = {"ka", "lo", "mi", "ne", "su", "ta", "vo", "re", "ni", "ba"};
        std::string made;
        for (int left = 2 + whole(2); left > 0; left--)
            made += parts[whole(10)];
        return made;
    }

private:
    unsigned state;
};

struct Summary {
    int count = 0;
    double sum = 0, least = 0, greatest = 0;
    void add(double value) {
        least = count ? std::min(least, value) : value;
        greatest = count ? std::max(greatest, value) : value;
        sum += value;
        count++;
    }
    double mean() const { return count ? sum / count : 0; }
};

std::ostream &operator<<(std::ostream &out, const Summary &summary) {
    return out << summary.count << " of " << summary.least << " to " << summary.greatest << ", mean " << summary.mean();
}

const std::string &most_frequent(const std::map<std::string, int> &counts) {
    return std::max_element(counts.begin(), counts.end(), [](const auto &a, const auto &b) { return a.second < b.second; })->first;
}

class Table {
public:
    virtual ~Table() = default;
    virtual bool accept(const std::string &line) = 0;
    virtual void report(std::ostream &out) const = 0;
    virtual std::string example(Generator &from) const = 0;
};
"""


def record(kind, fields):
    """Returns the class of one kind of record and of the table that keeps such records."""
    numbers = [name for name, type in fields if type != "std::string"]
    words = [name for name, type in fields if type == "std::string"]
    pattern = f"{kind.lower()}\\\\s+" + ",\\\\s*".join(f"{name}=" + PATTERN[type] for name, type in fields)
    out = [f"struct {kind} {{"]
    out += [f"    {type} {name}{{}};" for name, type in fields]
    out += ["", f"    static std::optional<{kind}> parse(const std::string &line) {{",
            f'        static const std::regex pattern("{pattern}");',
            "        std::smatch found;",
            "        if (!std::regex_match(line, found, pattern))",
            "            return std::nullopt;",
            f"        {kind} made;"]
    out += [f"        made.{name} = {READ[type].format(f'found[{at}]')};" for at, (name, type) in enumerate(fields, 1)]
    out += ["        return made;", "    }", "",
            f"    bool operator<(const {kind} &other) const {{"]
    for name, _ in fields:
        out += [f"        if ({name} != other.{name})", f"            return {name} < other.{name};"]
    out += ["        return false;", "    }", "};", "",
            f"std::ostream &operator<<(std::ostream &out, const {kind} &one) {{",
            f'    out << "{kind.lower()}";']
    out += [f'    out << " {name}=" << one.{name};' for name, _ in fields]
    out += ["    return out;", "}", "",
            f"class {kind}Table : public Table {{", "public:",
            "    bool accept(const std::string &line) override {",
            f"        const auto made = {kind}::parse(line);",
            "        if (!made)",
            "            return false;",
            "        if (!count || *made < first)",
            "            first = *made;",
            "        if (!count || last < *made)",
            "            last = *made;",
            "        count++;"]
    out += [f"        {name}.add(made->{name});" for name in numbers]
    out += [f"        {name}s[made->{name}]++;" for name in words]
    out += ["        return true;", "    }", "",
            "    void report(std::ostream &out) const override {",
            f'        out << "{kind}: " << count << " records\\n";',
            "        if (!count)",
            "            return;"]
    out += [f'        out << "  {name}: " << {name} << "\\n";' for name in numbers]
    out += [f'        out << "  most frequent {name}: " << most_frequent({name}s) << "\\n";' for name in words]
    out += ['        out << "  first: " << first << "\\n  last: " << last << "\\n";',
            "    }", "",
            "    std::string example(Generator &from) const override {",
            "        std::ostringstream line;",
            f'        line << "{kind.lower()} ";']
    for at, (name, type) in enumerate(fields):
        value = {"int": "from.whole(40)", "double": "from.real(90)", "std::string": "from.word()"}[type]
        out.append(f'        line << "{", " if at else ""}{name}=" << {value};')
    out += ["        return line.str();", "    }", "", "private:",
            f"    {kind} first, last;", "    int count = 0;"]
    if numbers:
        out.append("    Summary " + ", ".join(numbers) + ";")
    if words:
        out.append("    std::map<std::string, int> " + ", ".join(f"{name}s" for name in words) + ";")
    return "\n".join([*out, "};", ""])


TAIL = """
} // namespace

int main(int argc, char **argv) {
    const int rounds = argc > 1 ? std::stoi(argv[1]) : 20;
    std::vector<std::unique_ptr<Table>> tables;
TABLES
    Generator generator(7);
    std::cout << std::fixed << std::setprecision(3);
    int lost = 0;
    for (int round = 0; round < rounds; round++) {
        for (const auto &from : tables) {
            const std::string line = from->example(generator);
            const bool taken = std::any_of(tables.begin(), tables.end(), [&](const auto &table) { return table->accept(line); });
            lost += !taken;
        }
    }
    for (const auto &table : tables)
        table->report(std::cout);
    std::cout << lost << " lost\\n";
    return 0;
}"""

print(HEAD)
for kind, fields in KINDS.items():
    print(record(kind, fields))
print(TAIL.replace("TABLES", "\n".join(f"    tables.push_back(std::make_unique<{kind}Table>());" for kind in KINDS)))
