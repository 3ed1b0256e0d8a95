// Draws the Mandelbrot set as text: floating point in a tight loop. `mandel.wasm [SIZE [STEPS]]`.
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    int size = argc > 1 ? atoi(argv[1]) : 24;
    int steps = argc > 2 ? atoi(argv[2]) : 100;
    unsigned long long total = 0;
    for (int row = 0; row < size; row++) {
        for (int col = 0; col < size * 2; col++) {
            double cr = col * 1.5 / size - 2.0, ci = row * 2.4 / size - 1.2;
            double zr = 0, zi = 0;
            int n = 0;
            while (n < steps && zr * zr + zi * zi < 4) {
                double t = zr * zr - zi * zi + cr;
                zi = 2 * zr * zi + ci;
                zr = t;
                n++;
            }
            total += n;
            if (size <= 60)
                putchar(n == steps ? '#' : " .:-=+*%"[n & 7]);
        }
        if (size <= 60)
            putchar('\n');
    }
    printf("%llu steps\n", total);
    return 0;
}
