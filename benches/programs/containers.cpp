// Containers, sorting, text and small matrices out of templates, for a C++ compiler to work on. No header is included, so that
// a compiler without a C++ library takes it. The list of types at the end says how much there is to instantiate.

using size = decltype(sizeof 0);
inline void *operator new(size, void *place) noexcept { return place; }
extern "C" {
void *malloc(size);
void free(void *);
}

template <class T> struct Plain { using type = T; };
template <class T> struct Plain<T &> { using type = T; };
template <class T> struct Plain<T &&> { using type = T; };
template <class T> typename Plain<T>::type &&move(T &&value) { return static_cast<typename Plain<T>::type &&>(value); }
template <class T> void swap(T &a, T &b) {
    T held = move(a);
    a = move(b);
    b = move(held);
}

template <class T> class Vector {
public:
    Vector() = default;
    Vector(const Vector &other) {
        reserve(other.used);
        for (const T &item : other)
            push(item);
    }
    Vector(Vector &&other) noexcept : items(other.items), used(other.used), room(other.room) {
        other.items = nullptr;
        other.used = other.room = 0;
    }
    Vector &operator=(Vector other) {
        swap(items, other.items);
        swap(used, other.used);
        swap(room, other.room);
        return *this;
    }
    ~Vector() {
        for (size at = used; at-- > 0;)
            items[at].~T();
        free(items);
    }
    void reserve(size wanted) {
        if (wanted <= room)
            return;
        T *larger = static_cast<T *>(malloc(wanted * sizeof(T)));
        for (size at = 0; at < used; at++) {
            new (larger + at) T(move(items[at]));
            items[at].~T();
        }
        free(items);
        items = larger;
        room = wanted;
    }
    void push(T item) {
        if (used == room)
            reserve(room ? room * 2 : 4);
        new (items + used++) T(move(item));
    }
    T pop() {
        T item = move(items[--used]);
        items[used].~T();
        return item;
    }
    template <class Predicate> size remove(Predicate unwanted) {
        size kept = 0;
        for (size at = 0; at < used; at++)
            if (!unwanted(items[at])) {
                if (kept != at)
                    items[kept] = move(items[at]);
                kept++;
            }
        const size removed = used - kept;
        while (used > kept)
            items[--used].~T();
        return removed;
    }
    template <class F> auto map(F &&change) const {
        Vector<typename Plain<decltype(change(*items))>::type> made;
        made.reserve(used);
        for (const T &item : *this)
            made.push(change(item));
        return made;
    }
    size length() const { return used; }
    T &operator[](size at) { return items[at]; }
    const T &operator[](size at) const { return items[at]; }
    T *begin() { return items; }
    T *end() { return items + used; }
    const T *begin() const { return items; }
    const T *end() const { return items + used; }

private:
    T *items = nullptr;
    size used = 0, room = 0;
};

class Text {
public:
    Text() = default;
    Text(const char *from) {
        for (; *from; from++)
            letters.push(*from);
    }
    Text &operator+=(const Text &other) {
        for (char letter : other.letters)
            letters.push(letter);
        return *this;
    }
    bool operator<(const Text &other) const {
        for (size at = 0;; at++) {
            if (at == other.letters.length())
                return false;
            if (at == letters.length() || letters[at] < other.letters[at])
                return true;
            if (other.letters[at] < letters[at])
                return false;
        }
    }
    bool operator==(const Text &other) const { return !(*this < other) && !(other < *this); }
    size length() const { return letters.length(); }
    char operator[](size at) const { return letters[at]; }

private:
    Vector<char> letters;
};

template <class A, class B> struct Pair {
    A first;
    B second;
    bool operator<(const Pair &other) const {
        return first < other.first || (!(other.first < first) && second < other.second);
    }
    bool operator==(const Pair &other) const { return first == other.first && second == other.second; }
};

template <class T, int Rows, int Columns> struct Matrix {
    T cells[Rows][Columns] = {};
    template <int Other> Matrix<T, Rows, Other> operator*(const Matrix<T, Columns, Other> &right) const {
        Matrix<T, Rows, Other> product;
        for (int row = 0; row < Rows; row++)
            for (int column = 0; column < Other; column++)
                for (int at = 0; at < Columns; at++)
                    product.cells[row][column] = product.cells[row][column] + cells[row][at] * right.cells[at][column];
        return product;
    }
    bool operator<(const Matrix &other) const { return cells[0][0] < other.cells[0][0]; }
    bool operator==(const Matrix &other) const { return cells[0][0] == other.cells[0][0]; }
};

inline unsigned long hash(unsigned long value) { return (value ^ (value >> 15)) * 0x85ebca6bul; }
inline unsigned long hash(long value) { return hash(static_cast<unsigned long>(value)); }
inline unsigned long hash(int value) { return hash(static_cast<unsigned long>(value)); }
inline unsigned long hash(unsigned char value) { return hash(static_cast<unsigned long>(value)); }
inline unsigned long hash(float value) { return hash(static_cast<long>(value * 1000)); }
inline unsigned long hash(const Text &value) {
    unsigned long sum = 0x811c9dc5ul;
    for (size at = 0; at < value.length(); at++)
        sum = (sum ^ static_cast<unsigned char>(value[at])) * 0x01000193ul;
    return sum;
}
template <class T, int R, int C> unsigned long hash(const Matrix<T, R, C> &value) { return hash(value.cells[0][0]); }
template <class A, class B> unsigned long hash(const Pair<A, B> &value) { return hash(value.first) * 31 + hash(value.second); }
template <class T> unsigned long hash(const Vector<T> &value) {
    unsigned long sum = 17;
    for (const T &item : value)
        sum = sum * 31 + hash(item);
    return sum;
}

template <class T, class Less> void sort(T *from, T *to, Less less) {
    while (to - from > 12) {
        T *middle = from + (to - from) / 2, *last = to - 1;
        if (less(*middle, *from))
            swap(*middle, *from);
        if (less(*last, *middle)) {
            swap(*last, *middle);
            if (less(*middle, *from))
                swap(*middle, *from);
        }
        T *left = from, *right = last;
        const T pivot = *middle;
        while (left <= right) {
            while (less(*left, pivot))
                left++;
            while (less(pivot, *right))
                right--;
            if (left <= right)
                swap(*left++, *right--);
        }
        sort(from, right + 1, less);
        from = left;
    }
    for (T *next = from + 1; next < to; next++)
        for (T *at = next; at > from && less(*at, at[-1]); at--)
            swap(*at, at[-1]);
}

// A balanced tree, by heights.
template <class Key, class Value> class Tree {
    struct Node {
        Key key;
        Value value;
        Node *left = nullptr, *right = nullptr;
        int height = 1;
    };
    static int height(const Node *node) { return node ? node->height : 0; }
    static void measure(Node *node) {
        const int left = height(node->left), right = height(node->right);
        node->height = 1 + (left > right ? left : right);
    }
    static Node *turn(Node *node, Node *Node::*up, Node *Node::*down) {
        Node *risen = node->*up;
        node->*up = risen->*down;
        risen->*down = node;
        measure(node);
        measure(risen);
        return risen;
    }
    static Node *balanced(Node *node) {
        measure(node);
        const int leaning = height(node->left) - height(node->right);
        if (leaning > 1) {
            if (height(node->left->left) < height(node->left->right))
                node->left = turn(node->left, &Node::right, &Node::left);
            return turn(node, &Node::left, &Node::right);
        }
        if (leaning < -1) {
            if (height(node->right->right) < height(node->right->left))
                node->right = turn(node->right, &Node::left, &Node::right);
            return turn(node, &Node::right, &Node::left);
        }
        return node;
    }
    Node *inserted(Node *node, const Key &key, const Value &value) {
        if (!node) {
            count++;
            return new (malloc(sizeof(Node))) Node{key, value};
        }
        if (key < node->key)
            node->left = inserted(node->left, key, value);
        else if (node->key < key)
            node->right = inserted(node->right, key, value);
        else
            node->value = value;
        return balanced(node);
    }
    template <class F> static void visit(const Node *node, F &visitor) {
        if (!node)
            return;
        visit(node->left, visitor);
        visitor(node->key, node->value);
        visit(node->right, visitor);
    }
    static void drop(Node *node) {
        if (!node)
            return;
        drop(node->left);
        drop(node->right);
        node->~Node();
        free(node);
    }
    Node *root = nullptr;
    size count = 0;

public:
    ~Tree() { drop(root); }
    void insert(const Key &key, const Value &value) { root = inserted(root, key, value); }
    const Value *find(const Key &key) const {
        for (const Node *node = root; node;)
            if (key < node->key)
                node = node->left;
            else if (node->key < key)
                node = node->right;
            else
                return &node->value;
        return nullptr;
    }
    template <class F> void each(F visitor) const { visit(root, visitor); }
    size length() const { return count; }
};

template <class Key, class Value> class Table {
    Vector<Vector<Pair<Key, Value>>> chains;
    size count = 0;
    void grow() {
        Table larger;
        for (size at = 0; at < chains.length() * 2 + 8; at++)
            larger.chains.push({});
        for (auto &chain : chains)
            for (auto &item : chain)
                larger.at(item.first) = move(item.second);
        swap(chains, larger.chains);
    }

public:
    Value &at(const Key &key) {
        if (count >= chains.length() * 2)
            grow();
        auto &chain = chains[hash(key) % chains.length()];
        for (auto &item : chain)
            if (item.first == key)
                return item.second;
        count++;
        chain.push({key, Value()});
        return chain[chain.length() - 1].second;
    }
    size erase(const Key &key) {
        const size gone = chains.length()
            ? chains[hash(key) % chains.length()].remove([&](const auto &item) { return item.first == key; })
            : 0;
        count -= gone;
        return gone;
    }
    size length() const { return count; }
};

// Uses every container with keys and values of two types.
template <class Key, class Value> unsigned long exercise(const Vector<Key> &keys, const Vector<Value> &values) {
    Tree<Key, Value> tree;
    Table<Key, Value> table;
    Vector<Pair<Key, Value>> pairs;
    for (size at = 0; at < keys.length(); at++) {
        const Value &value = values[at % values.length()];
        tree.insert(keys[at], value);
        table.at(keys[at]) = value;
        pairs.push({keys[at], value});
    }
    sort(pairs.begin(), pairs.end(), [](const auto &a, const auto &b) { return a < b; });
    sort(pairs.begin(), pairs.end(), [](const auto &a, const auto &b) { return b.second < a.second; });
    unsigned long sum = hash(pairs.map([](const auto &pair) { return hash(pair) + 1; }));
    tree.each([&](const Key &key, const Value &value) { sum = sum * 33 + hash(key) + hash(value); });
    for (const auto &pair : pairs) {
        if (const Value *found = tree.find(pair.first))
            sum += hash(*found);
        sum += table.erase(pair.first);
    }
    return sum + tree.length() + table.length();
}

template <class...> struct Types {};
template <class T> Vector<T> some() {
    Vector<T> made;
    for (int at = 0; at < 20; at++)
        made.push(T());
    return made;
}
template <class Key, class... Values> unsigned long with_values(Types<Values...>) {
    return (0ul + ... + exercise(some<Key>(), some<Values>()));
}
template <class... Keys, class Values> unsigned long with_keys(Types<Keys...>, Values values) {
    return (0ul + ... + with_values<Keys>(values));
}

unsigned long all() {
    return with_keys(Types<Text>(), Types<float, Matrix<float, 3, 3>>());
}
