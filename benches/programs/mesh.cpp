// A mesh by meshoptimizer: a grid with waves, its triangles shuffled, then ordered for caches, simplified, encoded and decoded.
// The decoders and filters use vectors of 128 bits. `mesh.wasm [SIDE]`.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "meshoptimizer.h"

struct Vertex {
    float x, y, z;
    unsigned char normal[4];
};

int main(int count, char **words) {
    const unsigned side = count > 1 ? atoi(words[1]) : 40, vertices = side * side;
    std::vector<Vertex> grid;
    std::vector<unsigned> triangles;
    for (unsigned y = 0; y < side; y++)
        for (unsigned x = 0; x < side; x++) {
            // Nothing here rounds in a way that depends on the compiler.
            const float height = static_cast<float>((x * x + 3 * y) % 17) / 16;
            grid.push_back({float(x), float(y), height, {(unsigned char)(x * 7), (unsigned char)(y * 5), 127, 0}});
            if (x + 1 < side && y + 1 < side) {
                const unsigned at = y * side + x;
                for (unsigned corner : {at, at + 1, at + side, at + side, at + 1, at + side + 1})
                    triangles.push_back(corner);
            }
        }
    unsigned state = 7;
    for (size_t at = triangles.size() / 3; at-- > 1;) {
        state = state * 1664525u + 1013904223u;
        const size_t other = (state >> 8) % at;
        for (size_t corner = 0; corner < 3; corner++)
            std::swap(triangles[3 * at + corner], triangles[3 * other + corner]);
    }
    const size_t indices = triangles.size();
    meshopt_optimizeVertexCache(triangles.data(), triangles.data(), indices, vertices);
    meshopt_optimizeOverdraw(triangles.data(), triangles.data(), indices, &grid[0].x, vertices, sizeof(Vertex), 1.05f);
    meshopt_optimizeVertexFetch(grid.data(), triangles.data(), indices, grid.data(), vertices, sizeof(Vertex));
    std::vector<unsigned> simple(indices);
    simple.resize(meshopt_simplify(simple.data(), triangles.data(), indices, &grid[0].x, vertices, sizeof(Vertex), indices / 5, 1e-1f));

    std::vector<unsigned char> packed(meshopt_encodeVertexBufferBound(vertices, sizeof(Vertex)));
    packed.resize(meshopt_encodeVertexBuffer(packed.data(), packed.size(), grid.data(), vertices, sizeof(Vertex)));
    std::vector<unsigned char> list(meshopt_encodeIndexBufferBound(indices, vertices));
    list.resize(meshopt_encodeIndexBuffer(list.data(), list.size(), triangles.data(), indices));
    std::vector<Vertex> again(vertices);
    std::vector<unsigned> corners(indices);
    unsigned sum = 0;
    for (int round = 0; round < 20; round++) {
        if (meshopt_decodeVertexBuffer(again.data(), vertices, sizeof(Vertex), packed.data(), packed.size()) ||
            meshopt_decodeIndexBuffer(corners.data(), indices, sizeof(unsigned), list.data(), list.size()))
            return 1;
        for (const Vertex &vertex : again)
            sum = sum * 31 + unsigned(vertex.z * 16) + vertex.normal[0];
        for (unsigned corner : corners)
            sum = sum * 31 + corner;
    }
    std::printf("%zu of %zu triangles, %zu and %zu bytes, %08x\n", simple.size() / 3, indices / 3, packed.size(), list.size(), sum);
    return 0;
}
