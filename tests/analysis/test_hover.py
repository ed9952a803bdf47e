"""What a figure as SVG says of its values."""

import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))
import figures as look
import hover


def titles(figure):
    text = hover.svg(figure)
    look.plt.close(figure)
    return re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"[^>]*><title>(.*?)</title>', text)


class Hover(unittest.TestCase):
    def test_a_point_says_its_curve_and_both_axes_where_it_is_drawn(self):
        figure, axes = look.new_figure(width=4, height=3)
        axes.plot([0, 1], [10, 20], marker="o", label="a <b> & c")
        axes.set_xlabel("density")
        axes.set_ylabel("accuracy, %")
        first, last = titles(figure)
        self.assertEqual(first[2], "a &lt;b&gt; &amp; c: density 0, accuracy, % 10")
        self.assertEqual(last[2], "a &lt;b&gt; &amp; c: density 1, accuracy, % 20")
        self.assertLess(float(first[0]), float(last[0]))
        self.assertGreater(float(first[1]), float(last[1]))  # SVG counts downwards
        for x, y, _ in (first, last):
            self.assertTrue(0 < float(x) < 72 * 4 and 0 < float(y) < 72 * 3)

    def test_error_bars_give_their_half_and_caps_nothing(self):
        figure, axes = look.new_figure()
        axes.errorbar([1, 2], [5, 6], [0.5, 0.25], capsize=2, label="runs", marker="o")
        self.assertEqual([t for *_, t in titles(figure)], ["runs: 1, 5 ± 0.5", "runs: 2, 6 ± 0.25"])

    def test_an_axis_of_texts_gives_its_text(self):
        figure, axes = look.new_figure()
        axes.plot([3.0], [1], "o")
        axes.set_yticks([0, 1], ["first", "second"])
        axes.set_xlabel("points")
        self.assertEqual([t for *_, t in titles(figure)], ["points 3, second"])

    def test_lines_without_points_and_points_outside_are_left_out(self):
        figure, axes = look.new_figure()
        axes.plot([0, 1], [0, 1])
        axes.axhline(0.5)
        axes.plot([5], [5], "o")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        self.assertEqual(titles(figure), [])

    def test_the_same_figure_gives_the_same_text(self):
        made = []
        for _ in range(2):
            figure, axes = look.new_figure()
            axes.plot([0, 1], [1, 2], "o-")
            made.append(hover.svg(figure))
            look.plt.close(figure)
        self.assertEqual(*made)


if __name__ == "__main__":
    unittest.main()
