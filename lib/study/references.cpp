#include "study/references.h"

#include <array>

namespace gcg {

namespace {

constexpr std::array<Reference, 26> kReferences{{
    {"LeCun et al. 1998, Gradient-based learning applied to document recognition",
     R"(@article{lecun1998gradient,
  author = {LeCun, Yann and Bottou, L{\'e}on and Bengio, Yoshua and Haffner, Patrick},
  title = {Gradient-based learning applied to document recognition},
  journal = {Proceedings of the IEEE},
  volume = {86},
  number = {11},
  pages = {2278--2324},
  year = {1998},
}
)"},
    {"Simonyan & Zisserman 2015, Very deep convolutional networks for large-scale image "
     "recognition",
     R"(@inproceedings{simonyan2015very,
  author = {Simonyan, Karen and Zisserman, Andrew},
  title = {Very deep convolutional networks for large-scale image recognition},
  booktitle = {International Conference on Learning Representations},
  year = {2015},
}
)"},
    {"He et al. 2016, Deep residual learning for image recognition",
     R"(@inproceedings{he2016deep,
  author = {He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian},
  title = {Deep residual learning for image recognition},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year = {2016},
}
)"},
    {"Zagoruyko & Komodakis 2016, Wide residual networks",
     R"(@inproceedings{zagoruyko2016wide,
  author = {Zagoruyko, Sergey and Komodakis, Nikos},
  title = {Wide residual networks},
  booktitle = {British Machine Vision Conference},
  year = {2016},
}
)"},
    {"Dosovitskiy et al. 2021, An image is worth 16x16 words: transformers for image recognition "
     "at "
     "scale",
     R"(@inproceedings{dosovitskiy2021image,
  author = {Dosovitskiy, Alexey and Beyer, Lucas and Kolesnikov, Alexander and Weissenborn, Dirk and Zhai, Xiaohua and Unterthiner, Thomas and Dehghani, Mostafa and Minderer, Matthias and Heigold, Georg and Gelly, Sylvain and Uszkoreit, Jakob and Houlsby, Neil},
  title = {An image is worth 16x16 words: transformers for image recognition at scale},
  booktitle = {International Conference on Learning Representations},
  year = {2021},
}
)"},
    {"Touvron et al. 2021, Training data-efficient image transformers & distillation through "
     "attention",
     R"(@inproceedings{touvron2021training,
  author = {Touvron, Hugo and Cord, Matthieu and Douze, Matthijs and Massa, Francisco and Sablayrolles, Alexandre and J{\'e}gou, Herv{\'e}},
  title = {Training data-efficient image transformers {\&} distillation through attention},
  booktitle = {International Conference on Machine Learning},
  year = {2021},
}
)"},
    {"Gradual Capacity Growth for Sparse Network Discovery, arXiv 2509.25665",
     R"(@misc{gcg2025,
  title = {Gradual Capacity Growth for Sparse Network Discovery},
  eprint = {2509.25665},
  archiveprefix = {arXiv},
  year = {2025},
}
)"},
    {"Patil & Dovrolis 2021, PHEW",
     R"(@inproceedings{patil2021phew,
  author = {Patil, Shreyas Malakarjun and Dovrolis, Constantine},
  title = {{PHEW}: Constructing sparse networks that learn fast and generalize well without training data},
  booktitle = {International Conference on Machine Learning},
  year = {2021},
}
)"},
    {"Evci et al. 2020, Rigging the lottery",
     R"(@inproceedings{evci2020rigging,
  author = {Evci, Utku and Gale, Trevor and Menick, Jacob and Castro, Pablo Samuel and Elsen, Erich},
  title = {Rigging the lottery: Making all tickets winners},
  booktitle = {International Conference on Machine Learning},
  year = {2020},
}
)"},
    {"Mocanu et al. 2018, Scalable training of artificial neural networks",
     R"(@article{mocanu2018scalable,
  author = {Mocanu, Decebal Constantin and Mocanu, Elena and Stone, Peter and Nguyen, Phuong H. and Gibescu, Madeleine and Liotta, Antonio},
  title = {Scalable training of artificial neural networks with adaptive sparse connectivity inspired by network science},
  journal = {Nature Communications},
  volume = {9},
  year = {2018},
}
)"},
    {"Dettmers & Zettlemoyer 2019, Sparse networks from scratch",
     R"(@misc{dettmers2019sparse,
  author = {Dettmers, Tim and Zettlemoyer, Luke},
  title = {Sparse networks from scratch: Faster training without losing performance},
  eprint = {1907.04840},
  archiveprefix = {arXiv},
  year = {2019},
}
)"},
    {"Han et al. 2015, Learning both weights and connections",
     R"(@inproceedings{han2015learning,
  author = {Han, Song and Pool, Jeff and Tran, John and Dally, William J.},
  title = {Learning both weights and connections for efficient neural networks},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2015},
}
)"},
    {"Lee et al. 2019, SNIP",
     R"(@inproceedings{lee2019snip,
  author = {Lee, Namhoon and Ajanthan, Thalaiyasingam and Torr, Philip H. S.},
  title = {{SNIP}: Single-shot network pruning based on connection sensitivity},
  booktitle = {International Conference on Learning Representations},
  year = {2019},
}
)"},
    {"Wang et al. 2020, GraSP",
     R"(@inproceedings{wang2020picking,
  author = {Wang, Chaoqi and Zhang, Guodong and Grosse, Roger},
  title = {Picking winning tickets before training by preserving gradient flow},
  booktitle = {International Conference on Learning Representations},
  year = {2020},
}
)"},
    {"Tanaka et al. 2020, Pruning neural networks without any data",
     R"(@inproceedings{tanaka2020pruning,
  author = {Tanaka, Hidenori and Kunin, Daniel and Yamins, Daniel L. K. and Ganguli, Surya},
  title = {Pruning neural networks without any data by iteratively conserving synaptic flow},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2020},
}
)"},
    {"Zhu & Gupta 2018, To prune, or not to prune",
     R"(@misc{zhu2018prune,
  author = {Zhu, Michael and Gupta, Suyog},
  title = {To prune, or not to prune: Exploring the efficacy of pruning for model compression},
  eprint = {1710.01878},
  archiveprefix = {arXiv},
  year = {2017},
}
)"},
    {"Liu et al. 2021, Sparse training via boosting pruning plasticity",
     R"(@inproceedings{liu2021sparse,
  author = {Liu, Shiwei and Chen, Tianlong and Chen, Xiaohan and Atashgahi, Zahra and Yin, Lu and Kou, Huanyu and Shen, Li and Pechenizkiy, Mykola and Wang, Zhangyang and Mocanu, Decebal Constantin},
  title = {Sparse training via boosting pruning plasticity with neuroregeneration},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2021},
}
)"},
    {"Peste et al. 2021, AC/DC",
     R"(@inproceedings{peste2021acdc,
  author = {Peste, Alexandra and Iofinova, Eugenia and Vladu, Adrian and Alistarh, Dan},
  title = {{AC/DC}: Alternating compressed/decompressed training of deep neural networks},
  booktitle = {Advances in Neural Information Processing Systems},
  year = {2021},
}
)"},
    {"Frankle et al. 2020, Linear mode connectivity and the lottery ticket hypothesis",
     R"(@inproceedings{frankle2020linear,
  author = {Frankle, Jonathan and Dziugaite, Gintare Karolina and Roy, Daniel M. and Carbin, Michael},
  title = {Linear mode connectivity and the lottery ticket hypothesis},
  booktitle = {International Conference on Machine Learning},
  year = {2020},
}
)"},
    {"Krizhevsky 2009, Learning multiple layers of features from tiny images",
     R"(@techreport{krizhevsky2009learning,
  author = {Krizhevsky, Alex},
  title = {Learning multiple layers of features from tiny images},
  institution = {University of Toronto},
  year = {2009},
}
)"},
    {"Le and Yang 2015, Tiny ImageNet visual recognition challenge",
     R"(@techreport{le2015tiny,
  author = {Le, Ya and Yang, Xuan},
  title = {Tiny {ImageNet} visual recognition challenge},
  institution = {Stanford University, course CS 231N},
  year = {2015},
}
)"},
    {"Russakovsky et al. 2015, ImageNet large scale visual recognition challenge",
     R"(@article{russakovsky2015imagenet,
  author = {Russakovsky, Olga and Deng, Jia and Su, Hao and Krause, Jonathan and Satheesh, Sanjeev and Ma, Sean and Huang, Zhiheng and Karpathy, Andrej and Khosla, Aditya and Bernstein, Michael and Berg, Alexander C. and Fei-Fei, Li},
  title = {{ImageNet} large scale visual recognition challenge},
  journal = {International Journal of Computer Vision},
  volume = {115},
  number = {3},
  pages = {211--252},
  year = {2015},
}
)"},
    {"Sutskever et al. 2013, On the importance of initialization and momentum",
     R"(@inproceedings{sutskever2013importance,
  author = {Sutskever, Ilya and Martens, James and Dahl, George and Hinton, Geoffrey},
  title = {On the importance of initialization and momentum in deep learning},
  booktitle = {International Conference on Machine Learning},
  pages = {1139--1147},
  year = {2013},
}
)"},
    {"Loshchilov & Hutter 2019, Decoupled weight decay regularization",
     R"(@inproceedings{loshchilov2019decoupled,
  author = {Loshchilov, Ilya and Hutter, Frank},
  title = {Decoupled weight decay regularization},
  booktitle = {International Conference on Learning Representations},
  year = {2019},
}
)"},
    {"You et al. 2017, Large batch training of convolutional networks",
     R"(@misc{you2017large,
  author = {You, Yang and Gitman, Igor and Ginsburg, Boris},
  title = {Large batch training of convolutional networks},
  howpublished = {arXiv:1708.03888},
  year = {2017},
}
)"},
    {"Dai et al. 2019, NeST: a neural network synthesis tool based on a grow-and-prune paradigm",
     R"(@article{dai2019nest,
  author = {Dai, Xiaoliang and Yin, Hongxu and Jha, Niraj K.},
  title = {{NeST}: a neural network synthesis tool based on a grow-and-prune paradigm},
  journal = {IEEE Transactions on Computers},
  volume = {68},
  number = {10},
  pages = {1487--1497},
  year = {2019},
}
)"},
}};

constexpr std::array<Reference, 4> kRelated{{
    {"Ma et al. 2022, Effective model sparsification by scheduled grow-and-prune methods",
     R"(@inproceedings{ma2022effective,
  author = {Ma, Xiaolong and Qin, Minghai and Sun, Fei and Hou, Zejiang and Yuan, Kun and Xu, Yi and Wang, Yanzhi and Chen, Yen-Kuang and Jin, Rong and Xie, Yuan},
  title = {Effective model sparsification by scheduled grow-and-prune methods},
  booktitle = {International Conference on Learning Representations},
  note = {arXiv:2106.09857},
  year = {2022},
}
)"},
    {"Jin et al. 2025, The journey matters",
     R"(@inproceedings{jin2025journey,
  author = {Jin, Tian and Humayun, Ahmed Imtiaz and Evci, Utku and Subramanian, Suvinay and Yazdanbakhsh, Amir and Alistarh, Dan and Dziugaite, Gintare Karolina},
  title = {The journey matters: average parameter count over pre-training unifies sparse and dense scaling laws},
  booktitle = {International Conference on Learning Representations},
  note = {arXiv:2501.12486},
  year = {2025},
}
)"},
    {"Rosenfeld et al. 2021, On the predictability of pruning across scales",
     R"(@inproceedings{rosenfeld2021predictability,
  author = {Rosenfeld, Jonathan S. and Frankle, Jonathan and Carbin, Michael and Shavit, Nir},
  title = {On the predictability of pruning across scales},
  booktitle = {International Conference on Machine Learning},
  note = {arXiv:2006.10621},
  year = {2021},
}
)"},
    {"Frantar et al. 2024, Scaling laws for sparsely-connected foundation models",
     R"(@inproceedings{frantar2024scaling,
  author = {Frantar, Elias and Riquelme, Carlos and Houlsby, Neil and Alistarh, Dan and Evci, Utku},
  title = {Scaling laws for sparsely-connected foundation models},
  booktitle = {International Conference on Learning Representations},
  note = {arXiv:2309.08520},
  year = {2024},
}
)"},
}};

}  // namespace

std::span<const Reference> reference_table() { return kReferences; }

std::span<const Reference> related_works() { return kRelated; }

std::string bibtex() {
  std::string text;
  for (const std::span<const Reference> works : {reference_table(), related_works()}) {
    for (const Reference& reference : works) {
      text += reference.bibtex;
      text += "\n";
    }
  }
  return text;
}

}  // namespace gcg
