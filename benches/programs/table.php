<?php
// A table of 30,000 rows: sorted, grouped, searched by regular expressions, digested, joined to text and split again.
mt_srand(7);
$rows = [];
for ($i = 0; $i < 30000; $i++) {
    $rows[] = ['id' => $i, 'name' => 'n' . ($i * 7919 % 10007), 'share' => mt_rand(0, 100000) / 1000, 'tag' => chr(97 + $i % 23)];
}
usort($rows, fn($a, $b) => $a['share'] <=> $b['share'] ?: $a['id'] <=> $b['id']);
$groups = [];
foreach ($rows as $row) {
    $groups[$row['tag']][] = $row['share'];
}
ksort($groups);
foreach ($groups as $tag => $shares) {
    $means[] = sprintf('%s=%.3f', $tag, array_sum($shares) / count($shares));
}
echo implode(' ', $means), "\n";
$text = implode("\n", array_map(fn($row) => "{$row['name']}, {$row['share']} <{$row['tag']}@{$row['id']}.org>", $rows));
echo preg_match_all('/\b(n\d*7), ([\d.]+) <(\w+)@(\d+)\.org>/', $text, $found), ' ', array_sum($found[2]), "\n";
echo strlen(preg_replace_callback('/<(\w)@(\d+)/', fn($m) => '<' . strtoupper($m[1]) . dechex((int) $m[2]), $text)), "\n";
$digest = '';
foreach (explode("\n", $text) as $line) {
    $digest = md5($digest . $line);
}
echo $digest, ' ', md5(serialize($rows)), ' ', crc32(json_encode($rows)), "\n";
$words = array_count_values(preg_split('/\W+/', $text, -1, PREG_SPLIT_NO_EMPTY));
arsort($words);
echo count($words), ' ', max($words), "\n";
