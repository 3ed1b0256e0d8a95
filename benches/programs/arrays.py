# Linear algebra, sorting, a Fourier transform and statistics in numpy.
import numpy as np
rng = np.random.default_rng(7)
a = rng.normal(size=(160, 160))
x = np.linalg.solve(a + np.eye(160) * 40, np.arange(160.0))
values = np.linalg.eigvalsh(a @ a.T)
t = np.linspace(0, 5, 4096)
signal = np.sin(2 * np.pi * 3 * t) + rng.normal(0, 0.3, t.size)
spectrum = np.abs(np.fft.rfft(signal))
words = np.sort(rng.integers(0, 1000, 50000).astype('U4'))
counts = np.bincount(rng.integers(0, 50, 100000))
print(f'{x.sum():.9f} {values[0]:.6e} {values[-1]:.9f} {spectrum.argmax()} {spectrum.max():.9f}')
print(words[::10000], counts.argmax(), f'{np.median(signal):.9f} {np.percentile(signal, 90):.9f}')
